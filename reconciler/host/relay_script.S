/* The relay's script, as relay.pl is: readable and checkable as what it is. NUL-terminated. */
	.section .rodata
	.global host_relay_script
host_relay_script:
	.incbin "reconciler/host/relay.pl"
	.byte 0
	.section .note.GNU-stack, "", @progbits
