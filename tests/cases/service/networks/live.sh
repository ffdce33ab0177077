# "host" is a network of Swarm's own that no list has.
overlay front
overlay back
overlay old
own web --network name=front,alias=old-name --network old "$image" sleep 1000
own agent --network host "$image" sleep 1000
