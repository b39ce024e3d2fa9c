# Brings the agent to a host and becomes it. Runs as root under any POSIX shell; started by bootstrap.rs.
#
# Comments and newlines are taken out before it travels (csh cannot have newlines in quotes), so every statement ends
# with a semicolon; and there is no exclamation mark (csh) and no backslash (fish) outside this comment.
#
# It talks in lines that begin with the word that it was given: `need`, `run`, `failed …`.
nonce=$1; sha256=$2; size=$3; machine=$4; directory=$5; reuse=$6;
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH; LC_ALL=C; export PATH LC_ALL;
umask 022; cd /;
say() { echo "$nonce $*"; };
die() { say failed "$@"; exit 1; };

home=$directory/bin/$sha256; agent=$home/kubewright;
# The usual way starts one process: where they are dear, each costs more than all the rest. Whoever owns / is root.
if [ "$reuse" = reuse ] && [ -x "$agent" ] && [ -O / ] && [ "$(wc -c < "$agent")" -eq "$size" ]; then
  say run; exec "$agent" agent;
fi;

[ "$(id -u)" = 0 ] || die not-root "$(id -un)";
[ "$(uname -s) $(uname -m)" = "$machine" ] || die machine "$(uname -s) $(uname -m)";

mkdir -p "$home" || die directory "$home";
# What a killed upload left behind; the name ends with the process that wrote it.
for old in "$home"/.partial.*; do
  kill -0 "${old##*.}" 2>/dev/null || rm -f "$old";
done;
partial=$home/.partial.$$;
trap 'rm -f "$partial"' EXIT;
say need;
head -c "$size" > "$partial" || die write "$partial";
[ "$(wc -c < "$partial")" -eq "$size" ] || die short "$partial";
chmod 0755 "$partial" || die write "$partial";
sync "$partial" 2>/dev/null || sync;
mv -f "$partial" "$agent" || die write "$agent";
say run; exec "$agent" agent;
