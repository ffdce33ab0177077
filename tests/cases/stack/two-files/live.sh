overlay front
cd "$dir"
docker stack deploy --resolve-image never -c db.yml db >/dev/null 2>&1 || docker stack deploy --resolve-image never -c <(echo 'version: "3.8"'; cat db.yml) db >/dev/null
docker stack deploy --resolve-image never -c stack/base.yml -c stack/more.yml shop >/dev/null
own_stack db
