#!/bin/sh
# SPDX-License-Identifier: MIT
# A stock Linux guest with our agent: info, programs with input, output and exit status, a file of 5 MiB
# both ways, a clock that goes on after a pause, shares that mount themselves, an agent that is killed and
# one that breaks the protocol, and a shutdown by the agent: the guest has no button for it.
# lab: svm
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# timeout: 420
export HOME=/tmp/user
mkdir -p $HOME/shared $HOME/shared2
cd $HOME || exit 1

fail()
{
	echo "FAIL: $*"
	macrohard-hypervisor logs --vm vm | tail -n 20
	macrohard-hypervisor logs vm | tail -n 20
	macrohard-hypervisor stop --force vm
	exit 1
}

guest()
{
	macrohard-hypervisor exec -n vm "$@"
}

# is WHAT WANT GOT
is()
{
	[ "$3" = "$2" ] || fail "$1: '$3' is not '$2'"
	echo "$1: $3"
}

# Until the agent is connected.
wait_agent()
{
	n=0
	until macrohard-hypervisor guest-info vm >/tmp/info 2>/tmp/err; do
		n=$((n + 1))
		[ $n -lt 100 ] || fail "no agent: $(cat /tmp/err)"
		! grep -q 'is not running' /tmp/err || fail "the guest has ended"
		sleep 2
	done
}

echo shared >shared/file
echo two >shared2/file
macrohard-hypervisor create --name vm --memory 384M --kernel /lab/bin/vmlinuz-full \
	--initrd /lab/bin/initramfs-full --net none --engine "${ENGINE:-shim}" --agent virtio,mount=/mnt \
	--share shared:one --share shared2:two,readonly,type=virtiofs \
	--cmdline "console=ttyS0 quiet panic=-1 mh.run=agent" || fail create
macrohard-hypervisor start vm || fail start
macrohard-hypervisor guest-info vm 2>/tmp/err
is "before there is an agent" 4 $?
wait_agent
cat /tmp/info
grep -q 'agent *macrohard-guest-agent' /tmp/info || fail "guest-info does not tell the agent"
macrohard-hypervisor guest-info --json vm | grep -q '"system":"linux"' || fail "guest-info --json"

is "output" "hello" "$(guest echo hello)"
guest sh -c 'exit 7'
is "exit status" 7 $?
guest sh -c 'kill -9 $$'
is "signal" 137 $?
guest no-such-program
is "no program" 127 $?
is "errors" "oops" "$(guest sh -c 'echo oops >&2' 2>&1 >/dev/null)"
is "input" "3" "$(printf 'a\nb\nc\n' | macrohard-hypervisor exec vm wc -l)"
is "variables" "/tmp v" "$(macrohard-hypervisor exec -n --directory /tmp --env V=v vm sh -c 'echo $PWD $V')"
is "large output" "$(seq 200000 | md5sum)" "$(guest seq 200000 | md5sum)"
is "both at once" "$(seq 100000 | md5sum)" "$(seq 100000 | macrohard-hypervisor exec vm cat | md5sum)"

head -c 5242880 /dev/urandom >big
chmod 640 big
macrohard-hypervisor copy big vm:/tmp/big || fail "copy to the guest"
is "5 MiB there" "$(sha256sum <big | cut -c -64)" "$(guest sha256sum /tmp/big | cut -c -64)"
is "its mode" 640 "$(guest stat -c %a /tmp/big)"
macrohard-hypervisor copy vm:/tmp/big back || fail "copy from the guest"
cmp big back || fail "what came back is another file"
is "mode here" 640 "$(stat -c %a back)"
echo text | macrohard-hypervisor copy - vm:/tmp/t || fail "copy from a pipe"
is "to a pipe" text "$(macrohard-hypervisor copy vm:/tmp/t -)"
macrohard-hypervisor copy vm:/no/such/file none && fail "a file that is not there was copied"
[ ! -e none ] || fail "something of it is here"

is "a share" shared "$(guest cat /mnt/one/file)"
guest sh -c 'echo back >/mnt/one/new' || fail "the share cannot be written"
is "written there" back "$(cat shared/new)"
is "the other share" virtiofs "$(guest sed -n 's,^two /mnt/two \([a-z0-9]*\) ro.*,\1,p' /proc/mounts)"
is "in it" two "$(guest cat /mnt/two/file)"
guest touch /mnt/two/x && fail "the read-only share can be written"

# The guest's clock stands still in a pause; it is set afterwards.
macrohard-hypervisor pause vm && sleep 5 && macrohard-hypervisor resume vm || fail "pause"
sleep 2
off=$(($(date +%s) - $(guest date +%s)))
echo "after a pause of 5 s the clocks differ by $off s"
[ "$off" -ge -3 ] && [ "$off" -le 3 ] || fail "the guest's clock is off by $off s"

# The agent takes all that runs with it.
guest sh -c 'kill -9 $PPID'
wait_agent
is "after its restart" "again" "$(guest echo again)"
guest sh -c 'touch /tmp/hostile; kill -9 $PPID'
n=0
until macrohard-hypervisor logs --vm vm | grep -q 'it is disconnected'; do
	n=$((n + 1))
	[ $n -lt 60 ] || fail "the hostile agent was not disconnected"
	sleep 1
done
wait_agent
is "after a hostile one" "again" "$(guest echo again)"

macrohard-hypervisor stop vm || fail "stop"
macrohard-hypervisor list
macrohard-hypervisor logs vm | grep -q 'asked to poweroff' || fail "it was not the agent who shut down"
macrohard-hypervisor destroy vm || fail "destroy"
echo "all passed"
