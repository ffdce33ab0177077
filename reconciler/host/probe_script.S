/* The probe's script, as probe.sh is: readable and checkable as what it is. NUL-terminated. */
	.section .rodata
	.global host_probe_script
host_probe_script:
	.incbin "reconciler/host/probe.sh"
	.byte 0
	.section .note.GNU-stack, "", @progbits
