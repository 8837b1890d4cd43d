# SPDX-License-Identifier: MIT
# A private apt: packages of any Debian suite, from the machine's own mirror, installed nowhere.

# Prints "URI<TAB>SUITES<TAB>OPTIONS" for each binary source of the machine, from both file formats.
apt_machine_sources()
{
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk '
		$1 == "deb" {
			opts = ""; i = 2
			if ($2 ~ /^\[/) {
				for (; i <= NF; i++) {
					opts = opts " " $i
					if ($i ~ /\]$/) { i++; break }
				}
				gsub(/[][]/, "", opts)
			}
			print $i "\t" $(i + 1) "\t" opts
		}'
	cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
		function flush() {
			if (uris != "" && types ~ /(^| )deb( |$)/ && enabled != "no") {
				n = split(uris, u, " ")
				for (k = 1; k <= n; k++)
					print u[k] "\t" suites "\t" (trusted == "yes" ? "trusted=yes" : "")
			}
			types = uris = suites = trusted = enabled = ""
		}
		/^[ \t]*$/ { flush(); next }
		/^#/ { next }
		{
			key = tolower($1); $1 = ""; sub(/^ /, "")
			if (key == "types:") types = $0
			if (key == "uris:") uris = $0
			if (key == "suites:") suites = $0
			if (key == "trusted:") trusted = tolower($0)
			if (key == "enabled:") enabled = tolower($0)
		}
		END { flush() }'
}

# apt_mirror main|security: "URI<TAB>OPTIONS" of the machine's Debian mirror.
apt_mirror()
{
	local codenames='(bullseye|bookworm|trixie|forky|duke|sid|stable|testing|unstable|oldstable)'
	apt_machine_sources | awk -F '\t' -v kind="$1" -v names="$codenames" '
		kind == "main" && $2 ~ "(^| )" names "( |$)" && $2 !~ /security/ { print $1 "\t" $3; exit }
		kind == "security" && $2 ~ "(^| )" names "-security( |$)" { print $1 "\t" $3; exit }'
}

# apt_source_line TYPE MIRROR SUITE: one line of a sources.list.
apt_source_line()
{
	local uri=${2%%	*} opts=${2#*	}
	local key=/usr/share/keyrings/debian-archive-keyring.gpg
	case $opts in
	*trusted=yes*) opts='[trusted=yes]' ;;
	*) opts= ; [ ! -e $key ] || opts="[signed-by=$key]" ;;
	esac
	echo "$1 $opts $uri $3 main"
}

# apt_setup SUITE: makes the private apt directories for a suite (bookworm, trixie, trixie-backports).
apt_setup()
{
	local suite=$1 dir=$LAB_CACHE/apt/$1 main security
	APT_DIR=$dir
	need apt-get apt
	mkdir -p "$dir"/{state/lists/partial,cache/archives/partial}
	: >"$dir/status"
	main=$(apt_mirror main)
	[ -n "$main" ] || die "no Debian mirror found in this machine's apt configuration" \
		"(/etc/apt/sources.list*): the lab fetches the hosts' kernels from there"
	security=$(apt_mirror security)
	{
		apt_source_line deb "$main" "$suite"
		case $suite in
		*-backports) ;;
		*) [ -z "$security" ] || apt_source_line deb "$security" "$suite-security" ;;
		esac
	} >"$dir/sources.list"
	{
		apt-config dump | grep -E '^Acquire::.*"[^"]+";|^APT::Architecture '
		cat <<-END
			Dir::Etc::main "/dev/null";
			Dir::Etc::parts "/dev/null";
			Dir::Etc::preferences "/dev/null";
			Dir::Etc::preferencesparts "/dev/null";
			Dir::Etc::sourcelist "$dir/sources.list";
			Dir::Etc::sourceparts "/dev/null";
			Dir::State "$dir/state";
			Dir::State::lists "$dir/state/lists";
			Dir::State::status "$dir/status";
			Dir::Cache "$dir/cache";
			Dir::Cache::archives "$dir/cache/archives";
			APT::Sandbox::User "$(id -un)";
			APT::Get::Assume-Yes "true";
			Acquire::Languages "none";
			Acquire::Retries "3";
		END
	} >"$dir/apt.conf"
}

# apt_private TOOL ARG...: apt-get or apt-cache with the private directories of apt_setup.
apt_private()
{
	APT_CONFIG=$APT_DIR/apt.conf "$@"
}

# apt_update: fetches the suite's package list, at most once a day unless LAB_REFRESH=1.
apt_update()
{
	local stamp=$APT_DIR/updated
	if [ "${LAB_REFRESH:-0}" = 0 ] && [ -n "$(find "$stamp" -mtime -1 2>/dev/null)" ]; then
		return 0
	fi
	say "fetching the package list of $(basename "$APT_DIR")"
	quietly "$APT_DIR/update.log" apt_private apt-get -q update ||
		die "apt cannot fetch the package list of $(basename "$APT_DIR") (see above)"
	: >"$stamp"
}

# apt_closure REGEX PACKAGE...: the packages and what they depend on, as far as names match REGEX.
apt_closure()
{
	local regex=$1 todo seen=" " next p
	shift
	todo=$*
	while [ -n "$todo" ]; do
		next=
		for p in $todo; do
			case $seen in *" $p "*) continue ;; esac
			seen="$seen$p "
			next="$next $(apt_private apt-cache depends "$p" |
				awk '$1 == "Depends:" { print $2 }' | grep -E "$regex" | tr '\n' ' ')"
		done
		todo=${next// /}
		[ -z "$todo" ] || todo=$next
	done
	echo "$seen"
}

# apt_fetch DIR PACKAGE...: downloads the packages' .deb files into DIR (verified by apt).
apt_fetch()
{
	local dir=$1
	shift
	mkdir -p "$dir"
	(cd "$dir" && quietly "$APT_DIR/download.log" apt_private apt-get -q download "$@") ||
		die "apt cannot download: $*"
}
