docker stack deploy --resolve-image never -c "$dir/stack.yml" shop >/dev/null
