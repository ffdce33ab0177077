# Adopted when the file had other content, which docker could not change.
mkdir -p /srv/old && cp "$dir/stack.yml" "$dir/pw" /srv/old && echo before >/srv/old/motd
docker stack deploy --resolve-image never -c /srv/old/stack.yml shop >/dev/null
own_stack shop
