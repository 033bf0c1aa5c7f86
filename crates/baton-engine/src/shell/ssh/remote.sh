# The far side of an attempt, in POSIX sh; sent along, nothing is installed.
#
# It promises what `attempt` promises on this machine: whoever creates `pid`
# first decides whether the attempt ever runs; `exit` appears once, and only
# after the command ended; past its time limit the whole process group is
# ended; no secret reaches a file or a list of arguments, and what is kept of
# the output is bounded, however much is printed.
#
# Beyond POSIX it needs `head -c`, and setsid or perl. The driver puts the limits
# (baton_head, baton_tail, baton_piece, baton_most, baton_grace, baton_drain) in
# front.
#
# A session is given: baton_attempt, baton_dir, baton_script, baton_names (of
# all variables), baton_secrets (names of those that are masked), and the value
# of each NAME as baton_v_NAME, so that no variable of a step (PATH, IFS) is
# one of ours before its command starts.
#
# Words of a session, one a line: `baton refused WHY`, `baton never`, `baton
# running`, `baton facts`, `baton output` with the length of the piece that
# follows, and `baton result` with the lengths of the four files that follow:
# exit, variables, the beginning of the output, its end.

# What is kept is the owner's alone; what a command makes is as the host has it.
baton_umask=${baton_umask-$(umask)}
export baton_umask
umask 077
baton_home=$HOME/.baton/attempts

baton_say() { printf 'baton %s\n' "$*"; }

# Runs a program as the leader of a session of its own, in place of a subshell;
# and detached, so that nobody waits for it. Neither uses `&`, under which a
# shell without job control makes everything deaf to interrupts.
baton_leading() { false; }
if command -v setsid >/dev/null 2>&1; then
  baton_leading() { exec setsid "$@"; }
  baton_detached() { setsid setsid "$@"; }
elif command -v perl >/dev/null 2>&1; then
  baton_leading() { exec perl -MPOSIX -e 'setsid(); exec @ARGV; exit 127' "$@"; }
  baton_detached() { perl -MPOSIX -e 'exit if fork; setsid(); exec @ARGV; exit 127' "$@"; }
else
  baton_lacks='neither setsid nor perl'
fi

# When a process started, or nothing once it ended: its number may be used again.
baton_started() {
  if [ -r /proc/self/stat ]; then
    read -r baton_stat 2>/dev/null <"/proc/$1/stat" || return 0
    # The name, in brackets, may hold anything (proc(5)).
    set -f; set -- ${baton_stat##*) }; set +f
    [ "$1" = Z ] || printf '%s' "${20}"
  else
    ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _
  fi
}
baton_identity() { printf '%s %s\n' "$1" "$(baton_started "$1")"; }
baton_lives() {
  [ -n "${1#* }" ] && [ "$(baton_started "${1%% *}")" = "${1#* }" ]
}

# Milliseconds since some moment.
baton_clock() {
  if read -r baton_up baton_rest 2>/dev/null </proc/uptime; then
    printf '%s' "${baton_up%.*}${baton_up#*.}0"
  else
    printf '%s' "$(date +%s)000"
  fi
}

# Sleeps in a subshell; TERM ends both at once.
baton_sleep() {
  trap 'kill "$!" 2>/dev/null; exit 0' TERM
  sleep "$1" & wait "$!"
}

# Creates `pid` with this content, unless it is there.
baton_claim() {
  printf '%s\n' "$1" >"claim.$$" && ln "claim.$$" pid 2>/dev/null
  rm -f "claim.$$"
  [ "$(cat pid 2>/dev/null)" = "$1" ]
}

# Gives the command its variables, and takes ours away.
baton_give() {
  umask "$baton_umask"
  for baton_name in $baton_names; do
    eval "export $baton_name=\"\$baton_v_$baton_name\"; unset baton_v_$baton_name"
  done
  unset baton_names baton_secrets baton_umask
}

# ---- the wrapper, in a session of its own: sh wrapper wrap LIMIT DIR INTERPRETER...

baton_wrap() {
  baton_limit=$1
  shift
  baton_claim "$(baton_identity $$)" || exit 0
  baton_began=$(baton_clock)
  if ! mkfifo pipe pipe.head pipe.count; then
    printf 'format 1\nend refused it can make no pipe in its home\ntook 0\ntotal 0\n' >exit
    exit 1
  fi
  # Opened both ways first, so that no opening waits; our reading end stays, so
  # that what the command leaves running does not die of a closed pipe.
  exec 3<>pipe 4<pipe
  # Subshells, because dash keeps copies of what it redirects for anything else.
  (baton_pump) <&4 >/dev/null 3>&- &
  baton_pump=$!
  (baton_timer "$baton_limit") >/dev/null 3>&- 4<&- &
  baton_timer=$!
  (baton_leading sh "$baton_place/wrapper" command "$@") </dev/null >pipe 2>&1 3>&- 4<&-
  baton_status=$?
  exec 3>&-
  kill "$baton_timer" 2>/dev/null
  if [ -e refused ]; then
    baton_end="refused $(head -c 300 refused | tr '\n' ' ')"
  elif [ -e late ]; then
    # The command ended when asked; what it started may not have.
    baton_kill KILL
    baton_end=late
  else
    baton_end="status $baton_status"
  fi
  baton_finish
}

# Leaves `exit`, whole or not at all, and says so by closing its output.
baton_finish() {
  # What a service still prints is not waited for.
  (baton_sleep "$baton_drain"; kill "$(cat relay)") </dev/null >/dev/null 2>&1 4<&- &
  baton_cutter=$!
  wait "$baton_pump"
  kill "$baton_cutter" 2>/dev/null
  if [ -f variables ]; then
    head -c "$baton_most" variables | baton_mask >variables.kept
    rm -f variables
  fi
  printf 'format 1\nend %s\ntook %s\ntotal %s\n' "$baton_end" \
    "$(($(baton_clock) - baton_began))" "$(($(cat count)))" >exit.part &&
    mv exit.part exit
  exec >/dev/null
  exec cat <&4
}

baton_kill() {
  read -r baton_leader baton_rest <command && kill -s "$1" -- "-$baton_leader" 2>/dev/null
}

baton_timer() {
  baton_sleep "$1"
  : >late
  until [ -s command ]; do baton_sleep 1; done
  baton_kill TERM
  baton_sleep "$baton_grace"
  baton_kill KILL
}

# Keeps the beginning and the end of what is printed, and counts all of it.
baton_pump() {
  if [ -n "$baton_secrets" ]; then baton_wide=2; else baton_wide=1; fi
  # In small pieces, because `head` holds back what fills no buffer; people watch.
  (dd bs=64 count="$((baton_head * baton_wide / 64))" 2>/dev/null >output
    baton_left=$((baton_head * baton_wide - $(wc -c <output)))
    if [ "$baton_left" -gt 0 ]; then head -c "$baton_left" >>output; fi
    cat >/dev/null) <pipe.head &
  wc -c <pipe.count >count &
  # Killing the relay ends the stream, also where a service holds it open.
  sh -c 'echo "$$" >relay; exec cat' | baton_mask | tee pipe.head pipe.count |
    tail -c "$((baton_tail * baton_wide))" >tail
  wait
}

# Where there are secrets, what is kept goes on as hex digits: text tools lose
# bytes, and a secret may have lines. An end that may be the beginning of a
# secret is held back until more is known.
baton_mask() {
  if [ -z "$baton_secrets" ]; then exec cat; fi
  LC_ALL=C od -An -v -tx1 | LC_ALL=C awk '
    BEGIN {
      for (i = 1; i < 256; i++) hex[sprintf("%c", i)] = sprintf(" %02x", i)
      count = split(ENVIRON["baton_secrets"], names, " ")
      for (k = 1; k <= count; k++) {
        value = ENVIRON["baton_v_" names[k]]
        digits = ""
        for (i = 1; i <= length(value); i++) digits = digits hex[substr(value, i, 1)]
        # Longer ones first, so that one inside another leaves nothing of it.
        for (j = k; j > 1 && length(secrets[j - 1]) < length(digits); j--) secrets[j] = secrets[j - 1]
        secrets[j] = digits
      }
      longest = length(secrets[1])
    }
    function say(digits) { gsub(/ /, "", digits); printf "%s", digits }
    function pass(keep,   from, found, at, k, which) {
      from = 1
      for (;;) {
        found = 0
        for (k = 1; k <= count; k++) {
          at = index(substr(held, from), secrets[k])
          if (at && (!found || at < found)) { found = at; which = k }
        }
        # One that is cut short may be the beginning of a longer one.
        if (!found || from + found - 1 > length(held) - keep) break
        say(substr(held, from, found - 1) " 2a 2a 2a")
        from += found - 1 + length(secrets[which])
      }
      at = length(held) - keep + 1
      if (at > from) { say(substr(held, from, at - from)); from = at }
      held = substr(held, from)
    }
    { gsub(/[ \t]+/, " "); sub(/ $/, ""); held = held $0
      if (length(held) > 4096 + 2 * longest) pass(longest) }
    END { pass(0) }
  '
}

# ---- the command, the leader of its group: sh wrapper command DIR INTERPRETER...

baton_command() {
  baton_identity $$ >command
  baton_dir=$1
  shift
  cd "$HOME" 2>/dev/null && cd "${baton_dir:-.}" 2>/dev/null ||
    baton_refuse "the folder ${baton_dir:-$HOME} is not there"
  baton_give
  export BATON_OUTPUT="$baton_place/variables"
  command -v "$1" >/dev/null 2>&1 || baton_refuse "$1 is not there"
  exec "$@" "$baton_place/script"
}
baton_refuse() {
  printf '%s' "$1" >"$baton_place/refused"
  exit 126
}

# ---- sessions

# Makes the attempt's folder and goes there.
baton_enter() {
  baton_place=$baton_home/$baton_attempt
  baton_why=$(mkdir -p "$baton_place" 2>&1) && cd "$baton_place" && return
  baton_say "refused $baton_why"
  return 1
}

baton_start() { # LIMIT INTERPRETER...
  baton_enter || return
  baton_limit=$1
  shift
  if [ -n "$baton_lacks" ]; then
    baton_say "refused it has $baton_lacks, so a command could not be ended with all it started"
    return
  fi
  if ! baton_why=$({ printf '%s' "$baton_script" >script &&
    printf '%s' "$baton_program" >wrapper; } 2>&1); then
    baton_say "refused $baton_why"
    return
  fi
  baton_shown=0
  (baton_follow) &
  baton_follower=$!
  # The wrapper closes the pipe when it has left `exit`.
  baton_detached sh "$baton_place/wrapper" wrap "$baton_limit" "$baton_dir" "$@" \
    </dev/null 2>/dev/null | cat >/dev/null
  kill "$baton_follower"
  wait "$baton_follower"
  baton_look
}

baton_adopt() {
  baton_enter && baton_look
}

# Says what became of the attempt, and makes sure that one that never started
# never will. Nobody judges what a command did while it runs, also without its
# wrapper.
baton_look() {
  if baton_claim void; then
    baton_say never
    return
  fi
  baton_holder=$(cat pid)
  baton_shown=0
  until [ -e exit ]; do
    baton_lives "$baton_holder" || baton_lives "$(cat command 2>/dev/null)" || break
    baton_show
    # Also how a session that nobody listens to ends.
    baton_say running
    sleep 0.2 2>/dev/null || sleep 1
  done
  baton_result
}

# Sends what is printed until TERM comes, pieces whole.
baton_follow() {
  baton_over=
  trap 'baton_over=1' TERM
  until [ "$baton_over" ] || [ -e exit ]; do
    baton_show
    { sleep 0.5 2>/dev/null || sleep 1; } >/dev/null &
    wait "$!"
  done
}

# Sends what was printed since, a piece at a time.
baton_show() {
  if [ ! -s output ]; then return; fi
  baton_new=$(($(wc -c <output) - baton_shown))
  if [ "$baton_new" -gt "$baton_piece" ]; then baton_new=$baton_piece; fi
  if [ "$baton_new" -gt 0 ]; then
    baton_say "output $baton_new"
    tail -c "+$((baton_shown + 1))" output | head -c "$baton_new"
    baton_shown=$((baton_shown + baton_new))
  fi
}

baton_result() {
  baton_lengths=
  for baton_file in exit variables.kept output tail; do
    baton_length=0
    if [ -f "$baton_file" ]; then baton_length=$(($(wc -c <"$baton_file"))); fi
    baton_lengths="$baton_lengths $baton_length"
  done
  baton_say "result$baton_lengths"
  set -- $baton_lengths
  for baton_file in exit variables.kept output tail; do
    # Not every head takes a zero.
    if [ "$1" -gt 0 ]; then head -c "$1" "$baton_file"; fi
    shift
  done
  baton_say over
  if read -r baton_word && [ "$baton_word" = forget ]; then
    cd / && rm -rf "$baton_place"
  fi
}

# Reads facts: runs a script in bounded time, and leaves nothing of it behind.
baton_facts() { # LIMIT
  if [ -n "$baton_lacks" ]; then
    baton_say "refused it has $baton_lacks"
    return
  fi
  if ! { cd "$HOME" && cd "${baton_dir:-.}"; } 2>/dev/null; then
    baton_say "refused the folder ${baton_dir:-$HOME} is not there"
    return
  fi
  baton_say facts
  (baton_give; baton_leading sh -c "$baton_script") </dev/null 2>/dev/null &
  baton_leader=$!
  (baton_sleep "$1"; kill -s KILL -- "-$baton_leader") >/dev/null 2>&1 &
  baton_timer=$!
  wait "$baton_leader"
  kill "$baton_timer"
  kill -s KILL -- "-$baton_leader" 2>/dev/null
}

case ${1-} in
wrap | command)
  baton_place=${0%/*}
  cd "$baton_place" || exit 1
  baton_mode=$1
  shift
  "baton_$baton_mode" "$@"
  ;;
esac
