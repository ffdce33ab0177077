own web --label team=dev --label old=1 "$image" sleep 1000
