# The container label of `docker stack` stays: taking it away would restart the tasks for nothing.
overlay front
cat >/tmp/stack.yaml <<END
services:
  web:
    image: $image
    command: sleep 1000
    environment: {A: 1}
    networks: [front]
    ports: ["8080:80"]
networks: {front: {external: true}}
END
docker stack deploy --detach=true --resolve-image never -c /tmp/stack.yaml shop >/dev/null
