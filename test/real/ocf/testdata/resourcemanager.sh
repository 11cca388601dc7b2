#!/bin/sh
# What Heartbeat's ResourceManager does with the resources of one line of haresources, written from its contract:
# NAME::ARG1::ARG2 is DIR/NAME ARG1 ARG2 ACTION; a resource runs where its status prints OK or running, whatever its
# exit code; taking a group starts in order what does not run; giving it up stops all of it in reverse order, also
# what never ran, and a stop that fails reboots the node.
#
# usage: resourcemanager.sh DIR takegroup|givegroup|status RESOURCE...
# exit code: 1 a start failed, 3 the node would reboot
dir=$1 verb=$2
shift 2

call() { # RESOURCE ACTION
    args=
    case $1 in *::*) args=$(echo "${1#*::}" | sed 's/::/ /g') ;; esac
    # The words of haresources are split; that is the contract.
    # shellcheck disable=SC2086
    "$dir/${1%%::*}" $args "$2" 2>&1
}

runs() { # RESOURCE
    case $(call "$1" status) in
    *OK* | *[Rr]unning*) return 0 ;;
    esac
    return 1
}

case $verb in
status)
    for r in "$@"; do
        if runs "$r"; then echo "$r up"; else echo "$r down"; fi
    done
    ;;
takegroup)
    for r in "$@"; do
        if runs "$r"; then
            echo "$r up already"
            continue
        fi
        call "$r" start || exit 1
        echo "$r started"
    done
    ;;
givegroup)
    reversed=
    for r in "$@"; do reversed="$r $reversed"; done
    for r in $reversed; do
        call "$r" stop || exit 3
        echo "$r stopped"
    done
    ;;
esac
