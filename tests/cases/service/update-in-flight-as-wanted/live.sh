own web --replicas 2 --update-delay 1m "$image" sleep 1000
until_running web
update web --env-add A=1
until_state web updating
