# Docker made the secret before the file named a template driver, which cannot be changed of what is there.
docker stack deploy --resolve-image never -c "$dir/../create/stack.yml" shop >/dev/null
own_stack shop
