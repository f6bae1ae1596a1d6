# SPDX-License-Identifier: MIT
# Completion of the programs of no-downtime-service for fish.

set -l verbs status reload upgrade drain undrain stop scale top requests \
    logs probe version help
set -l first "not __fish_seen_subcommand_from $verbs"

complete -c ndsctl -f
complete -c ndsctl -n $first -a status -d 'Show workers, queue and counters'
complete -c ndsctl -n $first -a reload -d 'Read the settings again'
complete -c ndsctl -n $first -a upgrade -d 'Let a new ndsd take over'
complete -c ndsctl -n $first -a drain -d 'Turn unready'
complete -c ndsctl -n $first -a undrain -d 'End a drain'
complete -c ndsctl -n $first -a stop -d 'Drain and stop'
complete -c ndsctl -n $first -a scale -d 'Have so many workers'
complete -c ndsctl -n $first -a top -d 'Watch workers, requests and events'
complete -c ndsctl -n $first -a requests -d 'Show the requests under way'
complete -c ndsctl -n $first -a logs -d 'Show the last lines of the log'
complete -c ndsctl -n $first -a probe -d 'Ask a probe'
complete -c ndsctl -n $first -a version -d 'Print the versions'
complete -c ndsctl -n $first -a help -d 'Print the help'
complete -c ndsctl -n $first -s d -r -a '(__fish_complete_directories)' \
    -d 'Runtime directory'
complete -c ndsctl -n $first -l version -d 'Print the version'
complete -c ndsctl -s h -l help -d 'Help'
complete -c ndsctl -n '__fish_seen_subcommand_from status requests' -l json
complete -c ndsctl -n '__fish_seen_subcommand_from top' -l once
complete -c ndsctl -n '__fish_seen_subcommand_from logs' -s f \
    -d 'Go on with what comes'
complete -c ndsctl -n '__fish_seen_subcommand_from logs' -l level -x \
    -a 'debug info warn error'
complete -c ndsctl -n '__fish_seen_subcommand_from logs' -l request -x
complete -c ndsctl -n '__fish_seen_subcommand_from logs' -l trace -x
complete -c ndsctl -n '__fish_seen_subcommand_from drain' -l wait
complete -c ndsctl -n '__fish_seen_subcommand_from probe' \
    -a 'live ready startup'
complete -c ndsctl -n '__fish_seen_subcommand_from help' -a "$verbs"

complete -c ndsd -s f -r -d 'Settings'
complete -c ndsd -s t -d 'Check the settings'
complete -c ndsd -s T -d 'Check the settings and print them'
complete -c ndsd -l front -x -a 'lighttpd none' -d 'Run a front too'
complete -c ndsd -s h -l help -d 'Help'
complete -c ndsd -s V -l version -d 'Print the version'

complete -c nds-prove -s c -l clients -x -d 'Clients at once'
complete -c nds-prove -l new -d 'A new connection for each request'
complete -c nds-prove -l rate -x -d 'Requests a second'
complete -c nds-prove -s d -l duration -x -d 'How long'
complete -c nds-prove -s n -l count -x -d 'How many requests'
complete -c nds-prove -s X -l request -x \
    -a 'GET HEAD POST PUT DELETE OPTIONS PATCH' -d 'Method'
complete -c nds-prove -s H -l header -x -d 'Header'
complete -c nds-prove -l data -x -d 'Body'
complete -c nds-prove -l data-file -r -d 'Body'
complete -c nds-prove -s k -l insecure -d 'Take any certificate'
complete -c nds-prove -l timeout -x -d 'No whole answer within'
complete -c nds-prove -l ok-status -x -d 'Good statuses'
complete -c nds-prove -l hash -x -d 'SHA-256 of each body'
complete -c nds-prove -l expect-hash-of-first -d 'Each body as the first'
complete -c nds-prove -l ids -d 'Each answer carries the id of its request'
complete -c nds-prove -l during -x -d 'Command under the load'
complete -c nds-prove -l every -x -d 'Run it again and again'
complete -c nds-prove -l lead -x -d 'The quiet before it'
complete -c nds-prove -l json -d 'Summary as JSON'
complete -c nds-prove -l html -r -d 'Page with the timeline'
complete -c nds-prove -l each -r -d 'A line for each request'
complete -c nds-prove -s h -l help -d 'Help'
complete -c nds-prove -l version -d 'Print the version'

complete -c nds-shutdown -f
complete -c nds-shutdown -s d -r -a '(__fish_complete_directories)' \
    -d 'Runtime directory'
complete -c nds-shutdown -s t -x -d 'Give up after'
complete -c nds-shutdown -s n -d 'Drain only'
complete -c nds-shutdown -l after-front -d 'Wait until the front is gone'
complete -c nds-shutdown -l sidecar -d 'Wait for SIGTERM first'
complete -c nds-shutdown -s h -d 'Help'
complete -c nds-shutdown -s V -d 'Version'
