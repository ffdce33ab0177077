# The docker client writes empty blocks, Init false and more.
own web "$image" sleep 1000
