# Made by the real client; nothing but the label of ownership is left to write.
docker network create --driver overlay outside >/dev/null
docker node update --label-add disk=ssd gmktec >/dev/null
echo known | docker secret create known - >/dev/null
rm -rf /srv/shop && cp -r "$dir" /srv/shop
docker stack deploy --resolve-image never -c /srv/shop/stack.yml shop >/dev/null 2>&1
