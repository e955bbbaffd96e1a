#!/bin/sh
# A whole worker in plain shell: how little docs/worker-protocol.md asks for. Its path is a pool's command.
# A function sets `result` to JSON, or calls `fail`; its arguments come from `argument` and
# `text_argument`. Messages are cut apart by the fixed order of their members.
set -u
LC_ALL=C # bytes, not characters
export LC_ALL

say() { printf '{"jsonrpc":"2.0",%s}\n' "$1" >&3; }

fail() { # fail CODE MESSAGE: instead of a result. The message goes out as it is: no quotes in it
    error="{\"code\":$1,\"message\":\"$2\"}"
}

argument() { # argument N: the Nth argument, as it is written in JSON; nothing if there is none
    printf '%s' "$args" | awk -v wanted="$1" '{
        first = 2
        for (i = 2; i <= length($0); i++) {
            c = substr($0, i, 1)
            if (in_string) { # which ends at a quote without a backslash before it
                if (c == "\\") i++
                else if (c == "\"") in_string = 0
            } else if (c == "\"") in_string = 1
            else if (c == "[" || c == "{") depth++
            else if ((c == "," || c == "]") && depth == 0) {
                value = substr($0, first, i - first)
                if (++count == wanted || c == "]") break
                first = i + 1
            } else if (c == "]" || c == "}") depth--
        }
        gsub(/^ +| +$/, "", value)
        if (count == wanted) print value
    }'
}

text_argument() { # text_argument N: what the string that is the Nth argument stands for, and a dot
    argument "$1" | awk '{
        meaning["n"] = "\n"; meaning["t"] = "\t"; meaning["r"] = "\r"; meaning["b"] = "\b"; meaning["f"] = "\f"
        for (i = 2; i < length($0); i++) {
            c = substr($0, i, 1)
            if (c == "\\") {
                c = substr($0, ++i, 1)
                if (c in meaning) c = meaning[c] # \uXXXX stays as it is, without its backslash
            }
            printf "%s", c
        }
        printf "."
    }'
}

run_echo() {
    result=$(argument 1)
    [ -n "$result" ] || fail -32602 'echo takes an argument'
}

run_add() {
    result=$(printf '%s %s\n' "$(argument 1)" "$(argument 2)" |
        awk 'NF == 2 { printf "%.17g", $1 + $2 }')
    [ -n "$result" ] || fail -32602 'add takes two numbers'
}

run_fail() { fail 1 'failed, as it was asked to'; }

run_sleep() { sleep "$(argument 1)"; }

run_write() {
    out=$(text_argument 1)
    err=$(text_argument 2)
    printf '%s' "${out%.}"
    printf '%s' "${err%.}" >&2
}

run_exit() { exit "$(argument 1)"; }

run() {
    case $1 in
    echo) run_echo ;;
    add) run_add ;;
    fail) run_fail ;;
    sleep) run_sleep ;;
    write) run_write ;;
    exit) run_exit ;;
    *) fail -32601 'there is no such function' ;;
    esac
}

trap '' INT # Ctrl-C is for whoever started the server: it ends its workers itself
say '"method":"hello","params":{"protocol":1,"name":"worker.sh","functions":["echo","add","fail","sleep","write","exit"]}'

while IFS= read -r line <&3; do
    case $line in
    '{"jsonrpc":"2.0","id":"'*) ;;
    *) continue ;; # a notification, which may be ignored: also cancel
    esac
    line=${line#'{"jsonrpc":"2.0","id":"'}
    id=${line%%'"'*}
    error='' result=null
    case $line in
    "$id"'","method":"call",'* | "$id"'","method":"initialize",'*)
        line=${line#*'"params":{"function":"'}
        name=${line%%'"'*}
        args=${line#*'","args":'}
        run "$name" 3>&- # what it starts has no business with the socket
        ;;
    *) fail -32601 'there is no such method' ;;
    esac
    if [ -n "$error" ]; then
        say "\"id\":\"$id\",\"error\":$error"
    else
        say "\"id\":\"$id\",\"result\":$result"
    fi
done
exit 0
