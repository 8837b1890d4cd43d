# SPDX-License-Identifier: MIT
"""A desk for tests: an X server with a window manager, and a made-up guest that is shown there."""
import concurrent.futures
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

WIDTH, HEIGHT = 1280, 1000
PATIENCE = 30  # seconds; a machine may be slow, but nothing here takes that long

VISIBLE, MINIMISED, MAXIMISED, FULLSCREEN, POPUP, DIALOG, MODAL = (1 << n for n in range(7))
ATTENTION, ABOVE, FIXED, NO_TASKBAR, ACTIVE, DECORATED = (1 << n for n in range(7, 13))
ACTIVATE, DEACTIVATE, RAISE, LOWER, MINIMISE, RESTORE, MAXIMISE, CLOSE = range(8)

TOOLS = ["Xvfb", "openbox", "xdotool", "xclip", "import", "xprop", "xauth", "wmctrl"]


class Failed(Exception):
    """Something was not as it should be."""


def until(what, test):
    """Waits until test() is true, and returns it."""
    end = time.monotonic() + PATIENCE
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"waited in vain for: {what}")
        time.sleep(0.02)


class Desk:
    """An X server of its own, let in by a cookie only, and openbox on it."""

    def __init__(self, options=()):
        self.folder = tempfile.mkdtemp()
        self.processes = []
        authority = os.path.join(self.folder, "authority")
        env = dict(os.environ, XAUTHORITY=authority, HOME=self.folder, XDG_CONFIG_HOME=self.folder)
        cookie = os.urandom(16).hex()
        with open(authority, "wb"):
            pass
        read, write = os.pipe()
        subprocess.run(["xauth", "-q", "-f", authority, "add", ":0", ".", cookie], check=True, env=env)
        self.start(["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp",
                    "-auth", authority, *options], env, pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as f:
            number = f.readline().strip()
        subprocess.run(["xauth", "-q", "-f", authority, "add", f":{number}", ".", cookie], check=True, env=env)
        self.authority = authority
        self.env = dict(env, DISPLAY=f":{number}")
        # Windows that come while it starts are overlooked.
        ready = os.path.join(self.folder, "ready")
        self.start(["openbox", "--sm-disable", "--startup", f"touch {ready}"], self.env)
        until("the window manager", lambda: os.path.exists(ready))

    def start(self, command, env=None, **more):
        process = subprocess.Popen(command, env=env or self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process

    def run(self, *command, data=None):
        # xclip -i stays in the background, with its output.
        out = subprocess.PIPE if data is None else subprocess.DEVNULL
        done = subprocess.run(command, env=self.env, input=data, stdout=out, stderr=subprocess.DEVNULL,
                              timeout=PATIENCE, check=False)
        return done.stdout if command[0] in ("import", "xclip") else done.stdout.decode()

    def windows(self, title):
        """Ids of those with that title."""
        return self.run("xdotool", "search", "--name", f"^{title}$").split()

    def window(self, title):
        return until(f"a window '{title}'", lambda: self.windows(title))[0]

    def place(self, window):
        """Of its inside, on the screen."""
        text = self.run("xwininfo", "-id", window)
        keys = ["Absolute upper-left X", "Absolute upper-left Y", "Width", "Height"]
        found = [re.search(key + r": +(-?\d+)", text) for key in keys]
        return [int(f.group(1)) for f in found] if all(found) else None

    def settled(self, window):
        """Its place, when the window manager has put it there."""
        until("a window that is shown", lambda: "Normal" in self.prop(window, "WM_STATE"))
        last = None
        while last is None or last != self.place(window):
            last = self.place(window)
            time.sleep(0.2)
        return last

    def minimise(self, window):
        self.run("xdotool", "windowminimize", window)
        until("it is hidden", lambda: "Iconic" in self.prop(window, "WM_STATE"))

    def activate(self, window):
        """As a task bar does it: also when it is hidden."""
        self.run("xdotool", "windowactivate", "--sync", window)
        until("it is shown", lambda: "Normal" in self.prop(window, "WM_STATE"))

    def prop(self, window, name):
        return self.run("xprop", "-id", window, name).strip()

    def screen(self):
        return self.run("import", "-window", "root", "-depth", "8", "rgb:-")

    def pixel(self, x, y, screen=None):
        screen = screen or self.screen()
        at = 3 * (y * WIDTH + x)
        return screen[at:at + 3].hex()

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Guest:
    """The program that shows a made-up guest; its windows do what they are told, if obedient."""

    def __init__(self, desk, program, vm=True):
        self.process = subprocess.Popen([program], env=desk.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.seen = []
        self.all = {}
        self.obedient = True
        threading.Thread(target=self.read, daemon=True).start()
        self.do("surface", WIDTH, HEIGHT)
        self.do("connect", text=desk.authority)
        self.expect("connected ok")

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def send(self, name, *numbers, text=None):
        line = " ".join([name] + [str(n) for n in numbers]) + ("" if text is None else f" :{text}")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def do(self, name, *numbers, text=None):
        self.send(name, *numbers, text=text)
        self.expect("done", keep=True)

    def window(self, number, flags, rect, title, parent=0, least=(0, 0)):
        self.all[number] = [flags, list(rect), title, parent, least]
        self.do("window", number, parent, flags, *rect, *least, text=title)

    def again(self, number):
        flags, rect, title, parent, least = self.all[number]
        self.send("window", number, parent, flags, *rect, *least, text=title)

    def flag(self, number, flag, on):
        flags = self.all[number][0]
        self.all[number][0] = flags | flag if on else flags & ~flag
        self.again(number)

    def obey(self, line):
        word = line.split()
        if not self.obedient or word[0] not in ("configure", "act") or int(word[1]) not in self.all:
            return
        number = int(word[1])
        if word[0] == "configure":
            self.all[number][1] = [int(w) for w in word[2:6]]
            self.again(number)
        elif int(word[2]) in (MINIMISE, RESTORE):
            self.flag(number, MINIMISED, int(word[2]) == MINIMISE)
        elif int(word[2]) in (ACTIVATE, DEACTIVATE):
            for other in list(self.all):
                on = other == number and int(word[2]) == ACTIVATE
                if on != bool(self.all[other][0] & ACTIVE):
                    self.flag(other, ACTIVE, on)

    def take(self, wait):
        """One more line of what the library did."""
        try:
            line = self.lines.get(timeout=wait)
        except queue.Empty:
            return False
        self.seen.append(line)
        self.obey(line)
        return True

    def expect(self, pattern, keep=False):
        """Waits for a line; those before it are forgotten, unless they are kept."""
        end = time.monotonic() + PATIENCE
        at = 0
        while True:
            while at < len(self.seen):
                found = re.fullmatch(pattern, self.seen[at])
                if found:
                    self.seen = self.seen[:at] + self.seen[at + 1:] if keep else self.seen[at + 1:]
                    return found
                at += 1
            if time.monotonic() > end:
                raise Failed(f"waited in vain for '{pattern}', had: {self.seen}")
            self.take(0.1)

    def settle(self, seconds=1.3):
        """All that comes until nothing has come for so long: longer than the library waits for answers."""
        while self.take(seconds):
            pass
        seen, self.seen = self.seen, []
        return [line for line in seen if line != "done"]

    def pointer(self):
        """The picture that the server shows: width, height, hot spot, first pixel."""
        self.send("server-pointer")
        return self.expect("server-pointer (.*)", keep=True).group(1)

    def until(self, what, test):
        def both():
            while self.take(0):
                pass
            return test()
        return until(what, both)

    def close(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


def check(what, is_so):
    if not is_so:
        raise Failed(what)


def run(program, name, case, start):
    desk = guest = None
    try:
        desk = Desk(getattr(case, "options", ()))
        guest = Guest(desk, program)
        getattr(case, "start", start)(guest)
        case(desk, guest)
        check(f"the program ended with {guest.process.returncode}", guest.close() == 0)
        print(f"{name}: good", flush=True)
        return True
    except Failed as why:
        print(f"{name}: {why}", flush=True)
        return False
    finally:
        if guest:
            guest.process.kill()
        if desk:
            desk.close()


def main(cases, start):
    """PROGRAM [CASE...]: runs functions case_CASE(desk, guest) of a dictionary, each on a desk of its own."""
    program, wanted = sys.argv[1], sys.argv[2:]
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        print("not installed:", *missing)
        return 77
    chosen = [(name[5:], case) for name, case in sorted(cases.items())
              if name.startswith("case_") and (not wanted or name[5:] in wanted)]
    # They wait more than they work.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        good = list(pool.map(lambda item: run(program, *item, start), chosen))
    return 0 if chosen and all(good) else 1
