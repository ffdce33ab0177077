own web --publish 8080:80 --publish 9443:443 --publish 53:53/udp "$image" sleep 1000
