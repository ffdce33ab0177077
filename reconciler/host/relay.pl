# Arguments: "inside" or "outside", host, port, milliseconds. Connects standard input and output with a TCP port. Ends with 69,
# and why on stderr, when there is nobody to connect to; host/channel.c is the other side.
# inside: in the network namespace of a container, but with the files of the host: its names are those of Docker's own
# server of names there, 127.0.0.11, which this asks itself (RFC 1035).
use strict;
use Socket qw(:DEFAULT :addrinfo SHUT_WR);
my ($where, $host, $port, $limit) = @ARGV;
alarm $limit / 1000 + 1;
$SIG{PIPE} = "IGNORE";

sub none { print STDERR "@_\n"; exit 69 }

sub skip_name {
	my ($text, $at) = @_;
	while ((my $n = ord substr $text, $at, 1)) {
		return $at + 2 if $n >= 192;
		$at += 1 + $n;
	}
	return $at + 1;
}

my $names = "Docker\x27s DNS";

sub ask_docker {
	my $question = pack("n6", $$ & 65535, 256, 1, 0, 0, 0) . join("", map { pack "C/a*", $_ } split /\./, $host) .
		pack("xnn", 1, 1);
	my ($answer, @found) = ("");
	socket(my $s, PF_INET, SOCK_DGRAM, 0) or none("socket: $!");
	connect($s, pack_sockaddr_in(53, inet_aton("127.0.0.11"))) && defined send($s, $question, 0) or none("$names: $!");
	# What it does not know it asks elsewhere, which can take long.
	vec(my $bits = "", fileno $s, 1) = 1;
	select($bits, undef, undef, $limit / 2000) or none("$names has no answer for \x27$host\x27");
	defined recv($s, $answer, 65535, 0) && length $answer > 12 or none("$names: $!");
	my $at = length $question;
	for (1 .. unpack "x6n", $answer) {
		$at = skip_name($answer, $at);
		last if $at + 10 > length $answer;
		my ($type, $class, $ttl, $n) = unpack "nnNn", substr $answer, $at, 10;
		my $address = substr $answer, $at + 10, $n;
		push @found, pack_sockaddr_in($port, $address) if $type == 1 && length $address == 4;
		$at += 10 + $n;
	}
	return @found ? @found : none("$names does not know \x27$host\x27");
}

sub addresses {
	my %hints = (socktype => SOCK_STREAM, flags => $where eq "inside" ? AI_NUMERICHOST : 0);
	my ($error, @found) = getaddrinfo($host, $port, \%hints);
	return map { $_->{addr} } @found if !$error;
	return $where eq "inside" ? ask_docker() : none("the name \x27$host\x27: $error");
}

my ($peer, $why);
for my $address (addresses()) {
	socket($peer, sockaddr_family($address), SOCK_STREAM, 0) && connect($peer, $address) and last;
	$why = $!;
	close $peer if $peer;
	undef $peer;
}
$peer or none("connect to $host:$port: $why");

my %to = (fileno(STDIN) => $peer, fileno($peer) => *STDOUT);
my %from = (fileno(STDIN) => *STDIN, fileno($peer) => $peer);
while ($from{fileno $peer}) {
	my $bits = "";
	vec($bits, $_, 1) = 1 for keys %from;
	next if select($bits, undef, undef, undef) < 0;
	for my $fd (grep { vec $bits, $_, 1 } keys %from) {
		my $n = sysread $from{$fd}, my $data, 65536;
		if (!$n) {
			shutdown $peer, SHUT_WR if $fd == fileno STDIN;
			delete $from{$fd};
			next;
		}
		for (my $done = 0; $done < $n;) {
			$done += syswrite($to{$fd}, $data, $n - $done, $done) // exit 0;
		}
	}
}
