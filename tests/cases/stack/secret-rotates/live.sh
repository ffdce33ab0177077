# Adopted when the file had other content: the label has another hash.
docker stack deploy --resolve-image never -c "$dir/stack.yml" shop >/dev/null
own_stack shop
label secret shop_pw io.reconcile.content 000000000000
