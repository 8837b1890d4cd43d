# SPDX-License-Identifier: MIT
# Judges C sources by the style's rules, as far as lines can tell. Arguments: the sources.

function fail(text)
{
	printf "%s:%d: %s\n", file, FNR, text
	bad = 1
}

function fail_at(line, text)
{
	printf "%s:%d: %s\n", file, line, text
	bad = 1
}

function width(line, i, c, w)
{
	if (line !~ /\t/)
		return length(line)
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		w += c == "\t" ? 8 - w % 8 : 1
	}
	return w
}

function licence_of(path)
{
	if (path == "include/macrohard/uapi.h")
		return "((GPL-2.0 WITH Linux-syscall-note) OR MIT)"
	if (path ~ /^src\/(base|mm|arch|kdrv)\//)
		return "(GPL-2.0 OR MIT)"
	return "MIT"
}

function check_top(line, want)
{
	want = "SPDX-License-Identifier: " licence_of(file)
	if (FNR == 1 && (line !~ /^(\/\*|\/\/) SPDX/ || !index(line, want)))
		fail("the first line must be a comment with " want)
	if (FNR == 2 && line !~ /^(\/\*|\/\/)/)
		fail("the second line must be a comment that says what the file owns")
}

function check_text(line)
{
	if (width(line) > 100)
		fail("longer than 100 columns")
	if (line ~ /[ \t]$/)
		fail("white space at the end")
	if (line ~ /^ +[^ *\\]/ && !in_comment)
		fail("indented with spaces")
	if (line ~ /(^|[^A-Z])(TODO|FIXME|XXX)([^A-Z]|$)/ &&
	    line !~ /(TODO|FIXME|XXX) ?\(?#[0-9]+/)
		fail("a TODO without the number of an issue")
}

function calls(code, name)
{
	return code ~ ("(^|[^A-Za-z0-9_.>])" name "[ \t]*\\(")
}

function check_banned(code, n, i, names)
{
	n = split("strcpy strcat sprintf vsprintf gets strtok atoi atol atof alloca setjmp longjmp " \
		  "sigsetjmp siglongjmp system", names, " ")
	for (i = 1; i <= n; i++)
		if (calls(code, names[i]))
			fail(names[i] " is banned")
	if (file !~ /^src\/(core|platform|virtio|integration|api)\//)
		return
	n = split("abort exit _exit _Exit quick_exit assert atexit signal sigaction printf fprintf " \
		  "vprintf vfprintf puts fputs putchar perror", names, " ")
	for (i = 1; i <= n; i++)
		if (calls(code, names[i]))
			fail(names[i] " is banned in the library")
}

function check_code(code)
{
	if (file ~ /\.c$/ && code ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)([^a-z]|$)/)
		fail("no conditional compilation in .c files: choose by file or by include path")
	if (file != "src/kdrv/compat.h" && code ~ /LINUX_VERSION_CODE|KERNEL_VERSION *\(/)
		fail("kernel versions are tested in src/kdrv/compat.h only")
	if (code ~ /^[ \t]*typedef[ \t]+(struct|union)[ \t{]/)
		fail("no typedef of structs")
	if (code ~ /^[ \t]*typedef[^(]*\*[^(]*;/ || code ~ /^[ \t]*typedef.*\( *\*/)
		fail("no typedef of pointers")
	if (code ~ /^[ \t]+(unsigned|signed|int|bool|u8|u16|u32|u64|__u(8|16|32|64)|u?int[0-9]+_t)( int)?[ \t]+[a-z_0-9]+[ \t]*:[ \t]*[0-9]+[ \t]*;/)
		fail("no bit-fields: use masks and shifts")
	if (code ~ /(^|[^a-z_])volatile([^a-z_]|$)/ && code !~ /asm[_a-z]*[ \t]+volatile/ &&
	    code !~ /volatile sig_atomic_t/ && file !~ /^(src\/base\/(once|atomic)\.h$|tests\/guest\/)/)
		fail("volatile is for the MMIO of real hardware: use atomics, or base/once.h")
	check_banned(code)
}

# The text of a signature without its __attribute__((...)).
function without_attributes(text, at, i, depth, c)
{
	while ((at = index(text, "__attribute__")) > 0) {
		depth = 0
		for (i = at + 13; i <= length(text); i++) {
			c = substr(text, i, 1)
			if (c == "(")
				depth++
			else if (c == ")" && --depth == 0)
				break
		}
		text = substr(text, 1, at - 1) " " substr(text, i + 1)
	}
	return text
}

function parameters(text, i, depth, c, n)
{
	text = without_attributes(text)
	n = 1
	for (i = index(text, "("); i > 0 && i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "(")
			depth++
		else if (c == ")" && --depth == 0)
			break
		else if (c == "," && depth == 1)
			n++
	}
	return n
}

# A long function passes if its length comes from a switch in which every case is one call.
function lines_outside_dispatch(i, code, in_switch, statements, outside)
{
	for (i = 1; i <= body_lines; i++) {
		code = body[i]
		if (code ~ /^\t+switch[ \t]*\(.*\{$/ && !in_switch) {
			in_switch = 1
			close_brace = code
			sub(/switch.*/, "}", close_brace)
			statements = 0
		} else if (in_switch && code == close_brace) {
			in_switch = 0
		} else if (in_switch) {
			if (code ~ /^\t+(case .*|default):/)
				statements = 0
			if (code ~ /;$/ && code !~ /(break|return|continue);$/ && ++statements > 1)
				return body_lines
			continue
		}
		outside++
	}
	return outside
}

function end_function(n)
{
	if (body_lines > 60) {
		n = lines_outside_dispatch()
		if (n > 60)
			fail_at(body_start, "function of " body_lines " lines: at most 60")
	}
	in_body = 0
}

function follow_functions(code)
{
	if (in_body) {
		if (code ~ /^}/)
			end_function()
		else
			body[++body_lines] = code
		return
	}
	if (code ~ /^\{[ \t]*$/ && signature ~ /\(/) {
		in_body = 1
		body_lines = 0
		body_start = signature_start
		if (parameters(signature) > 6)
			fail_at(signature_start, "more than 6 parameters")
		signature = ""
	} else if (code ~ /^[A-Za-z_]/) {
		if (signature == "" || code !~ /^[A-Za-z_0-9]+\(/) {
			signature = ""
			signature_start = FNR
		}
		signature = signature code
	} else if (signature != "" && code ~ /^[ \t]/)
		signature = signature code
	else
		signature = ""
	if (code ~ /[;=]/)
		signature = ""
}

function end_file()
{
	if (file == "")
		return
	if (lines > 1000 && file !~ /\.def$/)
		fail_at(lines, "file of " lines " lines: at most 1000")
	else if (lines > 600 && file !~ /\.def$/)
		printf "%s: note: %d lines, the soft limit is 600\n", file, lines
	if (in_body)
		fail_at(body_start, "the function's closing brace was not found at a line's start")
}

FNR == 1 {
	end_file()
	file = FILENAME
	in_comment = 0
	in_body = 0
	signature = ""
}

{
	lines = FNR
	check_top($0)
	check_text($0)
	code = strip($0)
	sub(/[ \t]+$/, "", code)
	check_code(code)
	if (file ~ /\.[ch]$/ && code !~ /^#/)
		follow_functions(code)
}

END {
	end_file()
	exit bad
}
