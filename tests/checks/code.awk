# SPDX-License-Identifier: MIT
# strip(line): a line of C without its comments, and with the contents of its literals taken out. The
# caller clears in_comment at each file's first line. #include lines keep their path.

function literal(rest, quote, re)
{
	re = quote == "\"" ? "\\\\.|\"" : "\\\\.|'"
	while (match(rest, re)) {
		last = substr(rest, RSTART, 1)
		rest = substr(rest, RSTART + RLENGTH)
		if (last == quote)
			return rest
	}
	return ""
}

function strip(line, out, token, end)
{
	out = ""
	while (line != "") {
		if (in_comment) {
			end = index(line, "*/")
			if (!end)
				return out
			line = substr(line, end + 2)
			in_comment = 0
			continue
		}
		if (out == "" && line ~ /^[ \t]*#[ \t]*include/) {
			if (match(line, /^[ \t]*#[ \t]*include[ \t]*("[^"]*"|<[^>]*>)/)) {
				out = substr(line, 1, RLENGTH)
				line = substr(line, RLENGTH + 1)
				continue
			}
		}
		if (!match(line, /\/\*|\/\/|"|'/))
			return out line
		token = substr(line, RSTART, RLENGTH)
		out = out substr(line, 1, RSTART - 1)
		line = substr(line, RSTART + RLENGTH)
		if (token == "//")
			return out
		if (token == "/*") {
			in_comment = 1
			out = out " "
		} else {
			line = literal(line, token)
			out = out token token
		}
	}
	return out
}
