# SPDX-License-Identifier: MIT
# What the checks beside this file share: where the tree is, and which files belong to it (POSIX sh, sourced).
set -eu
export LC_ALL=C

CHECKS=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "${1:-$CHECKS/../..}" && pwd)
cd "$ROOT"

# tree_files PATTERN...: the tree's files with such names, sorted; no builds, subprojects or Git's own.
tree_files()
{
	for pattern in "$@"; do
		find . \( -path './.git' -o -path './build*' -o -path './subprojects/packagecache' \
			-o -path './subprojects/*[0-9]' \) -prune -o \
			-type f -name "$pattern" -print
	done | sed 's,^\./,,' | sort -u
}

# tree_scripts: the files that start with a shell's "#!" line.
tree_scripts()
{
	tree_files '*' | while IFS= read -r file; do
		case $(head -c 30 "$file" | tr -d '\0' | head -n 1) in
		'#!/bin/sh'* | '#!/bin/bash'* | '#!/usr/bin/env bash'*) echo "$file" ;;
		esac
	done
}

# skip REASON: ends the check as skipped.
skip()
{
	echo "$*"
	exit 77
}
