own web --stop-grace-period 1s --update-monitor 2s --rollback-monitor 1s --update-failure-action rollback \
	"$image" sleep 1000
until_running web
update web --args "sh -c 'exit 3'"
until_state web rollback_completed
