#!/bin/bash
# SPDX-License-Identifier: MIT
# The Python package boots guests: the interpreter and what the program imports come along.
# lab: outside
# timeout: 400
set -u

LAB=${LAB:-tools/lab/lab} BUILD=${BUILD:-build}
PYTHON=/usr/bin/python3
[ -e "$BUILD/bindings/python/_abi.py" ] && [ -x $PYTHON ] || {
	echo "the Python package is not built"
	exit 77
}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir -p "$WORK/site/macrohard"
cp bindings/python/macrohard/__init__.py "$BUILD/bindings/python/_abi.py" "$WORK/site/macrohard/" || exit 1
# What the program imports of Python's library, and the folders' names as the interpreter has them.
$PYTHON -I -S -B - >"$WORK/files" <<'PY' || exit 1
import ctypes, encodings.idna, json, sys
for module in list(sys.modules.values()):
    if getattr(module, "__file__", None) and module.__name__ != "__main__":
        print(module.__file__)
PY
while IFS= read -r file; do
	mkdir -p "$WORK/lib/$(dirname "$file")" && cp "$file" "$WORK/lib/$file" || exit 1
done <"$WORK/files"
# The libraries of Python's own modules: the lab looks at what can be executed.
find "$WORK/lib" -name '*.so' -exec chmod +x {} +
"$LAB" svm --smp 2 --build "$BUILD" --timeout 300 \
	--env PYTHONPATH=/lab/site --env PYTHONDONTWRITEBYTECODE=1 --env LD_LIBRARY_PATH=/lab/lib \
	--add "$(realpath $PYTHON):/usr/bin/python3" --add "$WORK/lib/usr:/usr" --add "$WORK/site:/lab/site" \
	--add tests/python/guest.py:/lab/guest.py \
	--add "$BUILD/guest/vmlinuz" --add "$BUILD/guest/initramfs" \
	-- /usr/bin/python3 -S /lab/guest.py /lab/bin/vmlinuz /lab/bin/initramfs >"$WORK/out" 2>&1
status=$?
cat "$WORK/out"
[ $status = 0 ] && grep -q '^PYTHON: done' "$WORK/out"
