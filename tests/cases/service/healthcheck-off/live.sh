own web --no-healthcheck "$image" sleep 1000
own other --health-cmd true --health-interval 5s "$image" sleep 1000
