# SPDX-License-Identifier: MIT
# Counts the code lines (neither blank nor comment only) of some sources and of all headers of the tree
# that they include. Arguments: the sources. Variables: limit.

function resolve(path, from)
{
	if (readable("src/" path))
		return "src/" path
	if (readable("include/" path))
		return "include/" path
	sub(/[^\/]*$/, "", from)
	if (readable(from path))
		return from path
	if (readable("src/kdrv/port/" path))
		return "src/kdrv/port/" path
	return ""
}

function readable(path, line, result)
{
	if (path in known)
		return known[path]
	result = (getline line < path) >= 0
	close(path)
	known[path] = result
	return result
}

function add(path)
{
	if (path == "" || path in seen)
		return
	seen[path] = 1
	queue[++queued] = path
}

function count(path, line, code, name, folder)
{
	in_comment = 0
	folder = path
	sub(/\/[^\/]*$/, "", folder)
	while ((getline line < path) > 0) {
		code = strip(line)
		if (code ~ /^[ \t]*$/)
			continue
		total++
		per_folder[folder]++
		if (code !~ /^[ \t]*#[ \t]*include/)
			continue
		name = code
		sub(/^[^<"]*[<"]/, "", name)
		sub(/[>"].*$/, "", name)
		add(resolve(name, path))
	}
	close(path)
}

BEGIN {
	for (i = 1; i < ARGC; i++) {
		if (!readable(ARGV[i])) {
			print "src/kdrv/Kbuild names " ARGV[i] ", which does not exist"
			exit 1
		}
		add(ARGV[i])
	}
	for (i = 1; i <= queued; i++)
		count(queue[i])
	for (folder in per_folder)
		printf "%6d %s\n", per_folder[folder], folder
	printf "%6d code lines in the kernel, %d files; the limit is %d\n", total, queued, limit
	exit total > limit
}
