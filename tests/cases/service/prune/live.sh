own web "$image" sleep 1000
own old "$image" sleep 1000
create theirs "$image" sleep 1000
