# db and its secret are in the stack no more.
docker stack deploy --resolve-image never -c "$dir/../create/stack.yml" shop >/dev/null
own_stack shop
