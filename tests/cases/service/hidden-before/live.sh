docker volume create outside >/dev/null
docker node update --label-add a=c --label-add dc=east gmktec >/dev/null
overlay front
overlay back
printf hello | docker config create --label io.reconcile.cluster=lab page-2cf24dba5fb0 - >/dev/null
printf there | docker config create their-config - >/dev/null
printf x | docker secret create their-secret - >/dev/null
own web --replicas 0 \
	--env B=2 --env A=1 --env EMPTY= \
	--mount type=bind,source=/tmp,target=/x,readonly,bind-propagation=rslave \
	--mount type=volume,source=outside,target=/v,volume-nocopy \
	--mount type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770 \
	--mount type=volume,target=/anonymous \
	--network back --network name=front,alias=www \
	--config source=page-2cf24dba5fb0,target=page \
	--config source=their-config,target=/etc/theirs,uid=5,gid=6,mode=0440 \
	--secret source=their-secret,target=their-secret \
	--publish 8080:80 --publish published=53,target=53,protocol=udp,mode=host --publish 81 \
	--cap-add net_admin --cap-drop ALL --sysctl net.core.somaxconn=1024 \
	--ulimit nofile=10:20 --ulimit nproc=5 \
	--dns 1.1.1.1 --dns-search a.example --dns-option ndots:1 --host h1:1.2.3.4 \
	--hostname hh --user 1:1 --group 5 --workdir /w \
	--stop-signal SIGUSR1 --stop-grace-period 3s --tty --read-only --init \
	--entrypoint "/bin/sh -c" \
	--health-cmd true --health-interval 5s --health-timeout 2s --health-retries 2 --health-start-period 1s \
	--limit-cpu 0.5 --limit-memory 64M --limit-pids 10 --reserve-cpu 0.1 --reserve-memory 32M \
	--generic-resource gpu=2 \
	--constraint node.role==manager --constraint "node.labels.a != b" \
	--placement-pref spread=node.labels.dc --replicas-max-per-node 2 \
	--update-delay 3s --update-max-failure-ratio 0.1 --update-order start-first --update-parallelism 2 \
	--update-monitor 7s --update-failure-action rollback \
	--rollback-order start-first --rollback-delay 1s \
	--restart-condition on-failure --restart-max-attempts 3 --restart-delay 1s --restart-window 1m \
	--log-driver json-file --log-opt max-size=1m \
	--endpoint-mode vip --label l=1 --container-label cl=2 \
	"$image" "echo hi"
