# Gets each URL behind the first argument, and posts that to it; prints status and content of each answer.
# Which proxy and which authorities there are is a matter of the environment.
use strict;
use warnings;
use LWP::UserAgent;

my ($text, @urls) = @ARGV;
my $agent = LWP::UserAgent->new(env_proxy => 1, keep_alive => 1, timeout => 50);
for my $url (@urls) {
    print_answer('GET', $agent->get($url));
    print_answer('POST', $agent->post($url, 'Content-Type' => 'text/plain', Content => $text));
}

sub print_answer {
    my ($what, $answer) = @_;
    die $answer->status_line, "\n", $answer->content unless $answer->is_success;
    print join(' ', $what, $answer->code, $answer->content), "\n";
}
