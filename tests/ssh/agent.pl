#!/usr/bin/perl
# A stand-in for the agent, for tests. Paths to read are commands.
use strict;
use warnings;

my $mode = 'MODE';
my $notes = '/var/lib/agent';
my $pings = 0;

binmode STDIN;
binmode STDOUT;
$| = 1;
die 'called otherwise' unless "@ARGV" eq 'agent';

sub note { my ($name, $text) = @_; open my $file, '>', "$notes.$name" or die; print $file $text; close $file; }
sub frame { my ($payload) = @_; print pack('N', length $payload), 'J', $payload; }
sub answer { my ($text) = @_; frame(qq({"reply":{"files":{"files":{"/answer":"$text"}}}})); }

sub take {
    my ($wanted) = @_;
    my $taken = '';
    while (length $taken < $wanted) {
        my $read = sysread STDIN, $taken, $wanted - length $taken, length $taken;
        if (!$read) { note('ended', $pings); exit 0; }
    }
    return $taken;
}

my ($sha256) = `sha256sum $0` =~ /^(\w{64})/;
print STDERR "agent \xff\xfe starts\n";
if ($mode eq 'lies') { $sha256 = '0' x 64; }
if ($mode eq 'leaves') { print STDERR "I cannot\n"; exit 3; }
if ($mode eq 'babbles') { print "Hello, I am an agent\n"; }
if ($mode eq 'waits') { sleep 600; }
frame(qq({"hello":{"sha256":"$sha256"}}));

while (1) {
    my ($length, $kind) = unpack 'Na', take(5);
    my $request = take($length);
    if ($request =~ /^"ping"$/) { $pings++; next; }
    if ($request =~ /^\{"put":/) {
        my ($size) = $request =~ /"size":(\d+)/;
        my ($offset) = $request =~ /"offset":(\d+)/;
        my ($name) = $request =~ /"sha256":"(\w+)"/;
        sleep 600 if $name =~ /^stuck/;
        open my $file, '>', "$notes.$name" or die;
        for (my $rest = $size - $offset; $rest > 0;) {
            ($length, $kind) = unpack 'Na', take(5);
            my $piece = take($length);
            if ($kind ne 'D') { $pings++; next; }
            print $file $piece;
            $rest -= $length;
            if ($name =~ /^full/) {
                frame('{"failed":{"what":"blob","why":"no space left","hint":"free some"}}');
                sleep 600;
            }
        }
        close $file;
        frame('{"reply":"done"}');
        next;
    }
    my ($command) = $request =~ m{"paths":\["([^"]*)"\]} or die $request;
    if ($command eq 'events') {
        frame(qq({"event":{"changing":{"part":"kernel","resource":"file $_"}}})) for 1 .. 3;
        answer('done');
    }
    elsif ($command eq 'whoami') { answer("$< $>"); }
    elsif ($command eq 'pings') { answer($pings); }
    elsif ($command eq 'pid') { answer($$); }
    elsif ($command eq 'file') { answer($0); }
    elsif ($command eq 'environment') { answer(join ' ', map { "$_=$ENV{$_}" } grep { /^(PATH|LC_ALL)$/ } sort keys %ENV); }
    elsif ($command eq 'fail') { frame('{"failed":{"what":"file /x","why":"no such directory","hint":"make it"}}'); }
    elsif ($command eq 'die') { print STDERR "line $_\n" for 1 .. 30; print STDERR "caf\xe9 is closed\n"; exit 7; }
    elsif ($command eq 'hang') { sleep 600; }
    elsif ($command eq 'rubbish') { print "Segmentation fault (core dumped)\n"; }
    elsif ($command eq 'flood') { print STDERR 'x' x 1_000_000 for 1 .. 8; answer('dry'); }
    else { answer("what is $command?"); }
}
