# what else is refused, by the hint that it gives
exit; getpwnam 'x'; open(F, 'x'); require Foo; tie my %h, 'x'; study $x; caller; evalbytes 'x'; fc 'x'; vec($x, 0, 1); pack 'N', 1; pos $x; redo; goto X; crypt 'a', 'b'
#
die; system 'ls'; fork; exec 'x'; sleep 5; bless {}, 'x'; socket(S, 1, 2, 3); connect S, 1; stat 'x'; shmread 1, 2, 3, 4; semop 1, 2
#
exit
#
fc('x')
#
pack 'N', 1
#
require Foo; bless {}; tied $x
#
dump; reset; lock $x
#
caller(0)
#
vec($x, 1, 1)
#
pos($x) = 1
#
redo
#
crypt 'a', 'b'
#
my $x = $ENV{HOME}; my $y = "@ARGV $ENV{X}";
#
push @INC, 'x'; $SIG{ALRM} = 1
#
print $! . $?
#
$/ = undef; $. + 1
#
$^W = 1; $~ = 2
#
/(?=a)/; /a++/; /(?{ 1 })/; /(?|a)/; /a\Kb/; /\Gx/; /\X/; /(?>a)/; /(?(1)a|b)/; /(?R)/; /(*FAIL)/
#
/a++/
#
/(?{ 1 })/
#
/(?|a)/
#
/a\Kb/
#
/\Gx/
#
/(.)\1/
#
/(?<!a)b/
# here-documents
my $s = <<A . <<'B' . <<"C C";
a $x
A
b $x
B
c
C C
$s
#
my $s = << "A";
x
A
#
my $s = <<~A;
    one
      two

    three
    A
$s
#
my $s = <<~A;
    one
  two
    A
$s
#
print <<A;
never ended
#
my $x = 1 << 2; my $y = 8 <<$x; my $z = 1 <<"x; $z
#
my @l = (<<A, <<B); "@l"
a
A
b
B
# several errors in one text
my $x = ; my $y = 5 +; if ($x { migrate() } report(;
#
if (1 { migrate(); } else { my $z = ); } elsif (2) { } sub f { 1 +; } my $q = 3;
#
foreach my $x (1, 2 { $x } while (1 { last } 5 5;
#
my $h = {a => 1, b => ; my $l = [1, 2; my $s = $h->{a; my $t = $l->[0; migrate();
#
for (my $i = 0; $i < 5 $i++) { 1 +; } for (;;;) { last }
#
my $s = "abc @{[ 1 + ]} $h{ $x"; my $t = 5;
#
if (1) { if (2) { migrate() } report();
#
} my $x = 1; ) ] migrate();
#
my $x = <<A; my $y = ; 1
text } with ( all ) kinds {
A
5 +;
# references
my $x = 5; my $r = \$x; $$r++; my @l = (1, 2); my ($a1, $b1) = \(@l); $$a1 = 7; my $c = \&f; sub f { "@_" } my $h = { a => [1, { b => 2 }] }; my ($p, $q) = \($x, @l); "$x @l " . $c->(3) . &$c(4) . $h->{a}[1]{b} . $$h{a}[0] . ${$h->{a}}[0] . "@{$h->{a}}[0] $#{$h->{a}} $#$q" . ref($r) . ref($c) . ref($h) . ref(\$r) . ref(qr/x/)
#
my $f; my $n = 0; $f = sub { my $d = shift; $n += $d; $d > 0 ? $f->($d - 1) : $n }; $f->(4) . "@{[map { $_ * 2 } 1..3]}"
#
my $m = \&migrate; $m->(); my $a = \&average; my @v = $a->(1, 2, 3); my $s = &$a(4, 6); "@v $s" . (defined &average ? 1 : 0)
#
my $u; $u->[2]{x}[1] = 5; my $v; @$v = (1, 2); my $w; %$w = (a => 1); my $z; $$z = 3; push @{$u->[0]}, 4; "$#$u @$v $$w{a} $$z" . keys(%$w) . scalar(@$v)
#
my $s = 'abc'; my $x = $s->[0]; $x = $$s; $x = $s->(); $x = @$s
#
my $s = 'abc'; my $x = $s->{a}; my @l = @{$x}; my %h = %$x; my $y = $$x;
#
my $n = 5; eval { my @l = @$n }; my $e = $@; eval { $n->() }; $e .= $@; eval { $$n = 1 }; $e .= $@; eval { %$n }; $e .= $@; my $r = [1]; eval { $r->{a} }; $e .= $@; eval { $r->() }; $e .= $@; eval { $$r }; $e . $@
# what numbers and texts do at their edges
my @n = (9223372036854775807, -9223372036854775808, 18446744073709551615, 1e20, -1e20, '1e3', ' 12abc', 'inf', 'nan', '-inf', '0x10', '', undef, -0.0, '-0', 0.1 + 0.2, 1e15, 1e16, 123456789012345678); my $s = ''; for my $a (@n) { for my $b (@n) { $s .= join ' ', $a + $b, $a - $b, $a * $b, ($b ? $a / $b : 0), ($b && abs($b) >= 1 ? $a % $b : 0), $a <=> $b, $a cmp $b, $a == $b, $a & 255, $a | $b, $a ^ $b, ~$a, $a << 3, $a >> 2, -$a, abs $a, int $a; $s = substr($s, -500) } } $s
#
my $x = '9223372036854775807'; $x++; my $y = -9223372036854775808; $y--; my $z = 'Zz9'; $z++; my $w = '3abc'; { no warnings; $w++ } my $v; $v--; my $u = 'a-b'; $u--; "$x $y $z $w $v $u" . 1 . 2 ** 0.5 . (-8) ** 3 . 2 ** -1 . 0 ** 0 . (-1) ** 0.5
#
'abc' & 'fg' | 'h' ^ "\x00a"; my $s = ~'ab'; "a\x{ff}" . ~$s . ('1' << 65) . (1 << -1) . (8 >> -2) . (~0 << 63) . ("3" | 4) . ("3" | "4")
#
sprintf('%s|%5s|%-5s|%05d|%+d|% d|%x|%X|%#x|%o|%#o|%b|%#b|%e|%g|%G|%.3f|%c|%%|%v d|%*d|%-*d|%.*f|%2$s|%#g|%#.0f|%hd|%lu|%z|%.0d|%#X|%vd|%5%|%.2s', 'abc', 'de', 'f', -3, 4, 5, 255, 255, 255, 8, 8, 5, 5, 12345.678, 0.0001234, 1e100, 3.14159, 65, '1.2', 6, 7, -6, 7, 2, 1.23456, 0.5, 3, 1, 2, 0, 17, '1.22.333', 'abcdef') . sprintf('%d %u %x %c', 1e30, -1, -1, 1e9) . sprintf('%d %s %e %+d', 9**9**9, -9**9**9, 9**9**9, 'nan')
#
join ',', oct('0x1F'), oct('0b101'), oct('0o17'), oct('755'), oct('b11'), oct('x1f'), oct('o7'), oct('9'), hex('ffffffffffffffffff'), hex('x1_f'), oct('0b' . '1' x 70), 0x1f, 0b11, 0o17, 017, 1_000, 0xffffffffffffffffff, 1e3, 1.5e-3, .5, 1., 0x1_0
#
join ',', substr('abc', 1), substr('abc', -2, 1), substr('abc', 0, -1), substr('abc', 3), index('abcabc', 'c', 3), rindex('abcabc', 'c', 3), index('abc', ''), rindex('abc', ''), rindex('abc', 'c', -1), rindex('abc', '', -1), lc 'ABC', uc 'abc', ucfirst 'abc', lcfirst 'ABC', reverse('abc') . '', ord(''), chr(-1), chr(256), chr(0x10ffff) x 2, chr(1e9), quotemeta('a.b'), length(undef) // 'u', 'a' x -1, 'ab' x 2.7, join('-', ('a', 'b') x 2), 'abc' lt 'abd', 'a' . 1 + 2
#
my $s = 'hello world'; substr($s, 0, 5) = 'HELLO'; substr($s, -5, 5, 'W'); substr($s, 0, 1) .= 'x'; my $t = $s; (my $u = $t) =~ tr/a-z/A-Z/; my $n = ($t =~ tr/l//); $t =~ tr/a-zA-Z//cd; $t =~ tr/L//s; my $v = $t =~ tr/a-z/*/r; eval { substr($s, 50, 1) = 'x' }; "$s $u $n $t $v $@"
# functions on lists
my @l = (3, 1, 2, 10); my @s = sort @l; my @n = sort { $a <=> $b } @l; my @r = reverse sort { $b <=> $a } @l; sub by { $a <=> $b } my @t = sort by @l; my $by = sub { $b cmp $a }; my @u = sort $by @l; my @v = sort { $a % 3 <=> $b % 3 or $a <=> $b } @l; my @w = sort { lc $a cmp lc $b } qw(b A c); "@s @n @r @t @u @v @w"
#
use List::Util qw(sum sum0 min max minstr maxstr first any all none notall reduce product uniq uniqnum shuffle pairs); my @l = (3, 1, 2, 2); join ',', sum(@l), sum0(), min(@l), max(@l), minstr(@l), maxstr(@l), first { $_ > 1 } @l
#
use List::Util qw(sum sum0 min max minstr maxstr first any all none notall reduce product uniq uniqnum); use Scalar::Util qw(looks_like_number); use POSIX qw(floor ceil fmod strftime pow); my @l = (3, 1, 2, 2); join ',', sum(@l), sum0(), min(@l), max(@l), minstr(@l), maxstr(@l), (first { $_ > 1 } @l), (any { $_ == 2 } @l), (all { $_ } @l), (none { $_ > 5 } @l), (notall { $_ > 1 } @l), (reduce { $a * $b } @l), product(@l), uniq(@l), scalar(uniq(@l)), looks_like_number('1e3'), floor(-1.5), ceil(1.2), fmod(7, 3), pow(2, 3), strftime('%Y-%m-%d %H:%M:%S %j %a %A %b %B %u %w %y %C %G %g %V %U %W %e %k %l %I %p %P %s %z %Z %F %T %R %r %D %c %n %t %% %Q', gmtime(1e9)), sum(), max(), reduce { 1 } ()
#
my @l = (1 .. 5); my @s = splice(@l, 1, 2); splice(@l, 1, 0, 'a', 'b'); splice(@l, -1); my @t = splice(@l, -2, 1, 'z'); eval { splice(@l, -9, 1) }; push @l, 1, 2; unshift @l, 0, 9; my $p = pop @l; my $f = shift @l; my $n = push @l, 3; delete $l[-1]; $#l = 1; $l[5] = 1; my @e = map { defined $_ ? $_ : 'u' } @l; exists $l[3] or 1; "@s @t @e $p $f $n $#l $l[-1] " . @l . (join ',', @l[0, 1]) . (exists $l[9] ? 1 : 0)
#
my %h = (a => 1, b => 2, c => 3); my @k = sort keys %h; my @v = sort { $a <=> $b } values %h; delete @h{'a', 'b'}; my ($d) = delete $h{c}; @h{'x', 'y'} = (7, 8); my %i = reverse %h; my %s = %h{'x'}; my @p = %l[0]; our @l = (1); while (my ($k, $v) = each %h) { $h{$k} = $v + 1 } my $n = keys %h; $_++ for values %h; $h{a}{b}{c} = 1; exists $h{a}{b} && delete $h{a}{b}{c}; $h{1, 2} = 3; my ($first) = sort keys %h; "@k @v $d $n $h{x} $i{7} $s{x} " . scalar(%h) . (%h ? 'y' : 'n') . join('|', sort map { "$_" } @h{qw(x y)}) . $h{-foo} . $h{"a b"}
#
my @a = ([1, 2], [3, 4]); my $t = 0; for my $r (@a) { $t += $_ for @$r } my @f = map { @$_ } @a; my @g = grep { $_ % 2 } @f; my %c; $c{$_}++ for @f; my ($x, $y, @z) = @f; ($x, $y) = ($y, $x); my $n = () = @f; my ($u, undef, $w) = @f; my $last = (@f)[-1]; my @sl = (sort @f)[0 .. 1]; "$t @f @g $x $y @z $n $u $w $last @sl " . join(',', map { "$_=$c{$_}" } sort keys %c) . wantarray()
# flow
my $o = ''; OUT: for my $i (1 .. 4) { for my $j (1 .. 4) { next OUT if $j == 3; last OUT if $i == 3; $o .= "$i$j " } } my $k = 0; { $k++; redo_it() if 0; last if $k; $o .= 'no' } do { $k++ } while ($k < 3); do { $k-- } until $k <= 0; until ($k > 2) { $k++ } continue { $o .= $k } while ($k-- > 0) { next if $k == 1; $o .= $k } for (my ($i, $j) = (0, 5); $i < $j; $i++, $j--) { $o .= $i . $j } unless ($k) { $o .= 'u' } elsif (1) { $o .= 'e' } else { $o .= 'x' } sub redo_it { 1 } $o .= $_ for reverse 1 .. 3; foreach my $e ('a' .. 'e', 'x') { $o .= $e } $o .= $k ? 'a' : $k == 0 ? 'b' : 'c'; $o
#
my $r = eval { die { code => 5 } }; my $e = $@->{code}; eval { die "x\n" }; $e .= $@; eval { die 'y' }; $e .= $@; eval { eval { die 'in' }; $e .= $@; die 'out' }; $e .= $@; my $v = eval { 1 } || 0; my @l = eval { (1, 2) }; eval { my $z = 1 / 0 }; $e .= $@; eval { sqrt(-1) }; $e .= $@; eval { log(0) }; $e .= $@; eval { 5 % 0 }; $e .= $@; die unless $v; warn 'w'; $e . "@l"
#
sub ctx { wantarray ? 'list' : defined(wantarray) ? 'scalar' : 'void' } my @l = ctx(); my $s = ctx(); ctx(); sub alias { $_[0] = 'changed'; $_[1]++; return } my ($p, $q) = (1, 2); alias($p, $q); sub rec { my $n = shift; return $n <= 1 ? 1 : $n * rec($n - 1) } sub dflt { my ($a, $b) = @_; $b //= 7; $a ||= 3; $a &&= 4; return ($a, $b) } sub pass { &dflt } sub early { return 1 if $_[0]; for (1 .. 3) { return "l$_" if $_ == 2 } 'end' } my $cnt = () = dflt(1); "@l $s $p $q " . rec(6) . join(',', dflt(), dflt(0, 1), pass(5, 6)) . early(0) . early(1) . $cnt
#
our $g = 1; sub show { $g } sub loc { local $g = 2; show() } my $before = loc() . show(); { local $_ = 'x'; $before .= $_ } my $x = 1; { my $x = 2; $before .= $x } use feature 'state'; sub counter { state $n = 0; return ++$n } counter() for 1 .. 3; our @arr = (1); { local @arr = (5, 6); $before .= "@arr" } $before . $x . counter() . "@arr"
#
my @w = (1) x 3; my ($x, $y, $z); $x = $y = 5; $z += $x; $z -= 1; $z *= 2; $z /= 3; $z .= 'a'; $y **= 2; $y %= 7; $y x= 3; $y <<= 1; $y >>= 1; $y |= 1; $y &= 7; $y ^= 2; $x ||= 1; $x &&= 2; my $u; $u //= 'd'; $#w += 2; "$x $y $z $u $#w" . ($x++ + ++$x) . ($x-- - --$x) . (1 < 2) . !(1 > 2) . (not 1) . (1 xor 1) . (1 <=> 2) . ('a' x 3) . (5 .. 3) . -'foo' . - -'foo' . +5 . !!1 . ~~5
#
if (1 < 2 < 3) { report() } migrate(), report() if 5 == 5.0 and 'a' eq 'a' or 0; my $c = 1 == 1 != 2; my $d = 3 > 2 >= 1; $c . $d . (7 <=> 'x') . (2 ** 3 ** 0) . -2 ** 2 . (10 - 2 - 3) . 2 + 3 . '4' . (1, 2, 3)[1] . (my @e = ())
# patterns
my $t = "node1.example.com load=0.75, node2 load=1.5\n"; my ($h, $v) = $t =~ /^(\w+)\S*\s+load=([\d.]+)/; my @all = $t =~ /load=([\d.]+)/g; my %m = $t =~ /(node\d)\S*\sload=(\S+?),?\s/g; my $n = 0; while ($t =~ /(?<name>node)(\d)/g) { $n += $2; $n .= $+{name} } (my $c = $t) =~ s/(\d+)/<$1>/g; $c =~ s/^\s+|\s+$//g; my $k = ($c =~ s/o/0/g); my $e = $c =~ s/e/E/r; my @p = split /[,\s]+/, $t; my @q = split //, 'abc'; my @r = split(/(,)/, 'a,b,c', -1); my @s = split ' ', '  a b  c '; my $pre = "$`|$&|$'" if $t =~ /load/; "$h $v @all $n $c $k $e @p @q @r @s $pre @- @+ $+" . join(',', map { "$_$m{$_}" } sort keys %m)
#
my $x = "aXbXc\nd"; my @l = ($x =~ /^a/, $x =~ /c$/m, $x =~ /c$/, $x =~ /\Aa.*d\z/s, $x =~ /A/i, $x =~ / a X # comment
/x, $x !~ /q/, $x =~ m{X}, $x =~ m(b), $x =~ /[^a-z\d_]/, $x =~ /[[:upper:]]/, $x =~ /[[:^alpha:]]/, $x =~ /[\]\-a]/, $x =~ /\x61\t?\101?\cA?/, $x =~ /(?i:A)(?#c)(?:X|Y)/, $x =~ /\bc\b/, $x =~ /\B/, $x =~ /a{1}X{1,2}b{0,}?/, $x =~ /\h|\v|\R|\N/, $x =~ /[\w\s\D\h\V]/, $x =~ /(?^i:a)/, $x =~ /(?-i)a/, $x =~ /a|b|/, $x =~ /\Qa\E/, $x =~ /\Z/); my $re = qr/(b)(X)/i; $x =~ $re; my $y = "$re $1"; $x =~ /a${re}c/; my @arr = ('a'); my %h = (k => 'X'); "@l $y " . ($x =~ /$arr[0]$h{k}/) . ($x =~ /@arr/) . ($x =~ /a$/ ? 1 : 0) . ($x =~ 'bX')
#
my $s = "\xe9t\xe9 \xff"; my @m = $s =~ /([^\x00-\x7f])/g; (my $t = $s) =~ s/\W/-/g; my @w = split /\xff/, $s; $t . @m . "@w" . ($s =~ /\w+$/ ? $& : '') . ($s =~ /t(.)/ ? $+[1] : '') . ($s =~ /$/ ? $-[0] : '') . ("a\n" =~ /^a$/) . join('|', "\n\n" =~ /^/mg) . ("ab" =~ /(z)?b/ ? defined $1 ? 1 : 0 : '') . "\x{e9}\x41\t\e\a\b\f\r\0\012\N{U+41}\cA\u\LABC\E\Qa.b\E\lABC"
#
my $s = 'aaa'; my $n = 0; $s =~ /a/g; $n += pos_of() while $s =~ /a/g; sub pos_of { 1 } my $r = ''; $r .= "[$1]" while 'k=v,x=y' =~ /(\w)=/g; my $p = '('; eval { 'x' =~ /$p/ }; my $e = $@ ? 'bad' : ''; my @l = map { /(\d+)/ ? $1 : () } qw(a1 b c22); tr/a-c/A-C/ for my @c = qw(abc cab); my ($i) = grep { $l[$_] == 22 } 0 .. $#l; s/(.)/\U$1/ for @c; y/A-C/x/; "$n $r $e @l @c $i" . ("a.b" =~ /^\Qa.b\E$/ ? 1 : 0)
# time, output, the warnings' words
my @t = localtime; my @g = gmtime(0); my $s = localtime(1e9); my $n = time; my ($m, $h) = (localtime)[1, 2]; print "a", "b\n"; print STDERR "e"; printf "%s-%d\n", 'x', 5; printf STDOUT ('%s', 1); { local $, = '-'; local $\ = "!\n"; print 1, 2 } use feature 'say'; say 'x', 'y'; say for 1 .. 2; print STDOUT 'z'; print; srand(5); my $r = rand(10); my $z = rand; "@t @g $s $n $m $h" . int($r) . "$0 $$ $]" . __LINE__ . __FILE__ . __PACKAGE__
#
use warnings; my ($u, %h, @l); my $x = $u + 1 . "a$u" . ($u == 1) . ($u lt 'a') . $h{k} . $l[3] . -$u . ~$u; $x = 'abc' + 1; $x = "3x" * 2; $x .= $u; $x = sprintf('%d %d', 'z'); $x = join $u, 1, $u; my %o = (1); my $q = {1}; $x = substr('a', 5); splice @l, 9, 1; $x = oct '9'; $x = hex 'g'; $x++ ; my $y = 'q q'; $y++; $y--; $x = chr $u; $x = $u->[0]; $x = lc $u; @l = sort { $a <=> $b } 'x', $u; $x = $u . $u; $x = 'a' == 'b'; $u .= 'x'; my $w; $w += 1; $w =~ /$u/; no warnings; $x = $h{zz} + 1; 1
#
use strict; my $x = 5; our $y; no strict; $z = 6; use vars qw($q); use constant PI => 3; use utf8; use integer; use 5.010; use feature qw(say); use POSIX; no feature; 1
#
=pod

text { with ( braces

=cut

my $x = 1; # comment }
=begin x

=end

=cut
$x + 1
__END__
never } read
#
my ($hour, $min) = (localtime)[2, 1]; if (($hour >= 22 || $hour < 6) && average(res('cpu', 5)) > 0.70 && max(res2('cpu', 2)) < .40) { migrate(2); } elsif (meridian(res("mem", 10)) > 90) { report; } else { my @l = res 'cpu', 3; migrate if min(@l) > 1; }
# operands that change on the way
my ($x, $y, @l, %h) = (1, 2, 5, 6); %h = (a => 1); my @r = ($x + $x++, $x . ($x = 5), $l[0] + $l[0]++, $h{a} . ($h{a} = 'q'), $h{n} // ($h{n} = 2), ($x || $y) + $x--, ($x ? $x : $y) - ++$x, ($x = 3) * $x++, ++$x + $x++, ($x && $y) . ($y =~ s/2/3/), ($u // $x) == $x++, $x == $x++, $x <=> --$x, $l[9] . ($l[9] = 1), ($x, $y) = ($y, $x)); "@r"
#
my @l = (1, 2); my %h = (k => 1); my ($x) = (4); sub inc { $_++ for @_; "@_" } my $s = inc($x, @l, $h{k}, $l[5], 7 . '', @l[0, 1], ($x || 1), ($x ? $l[0] : $l[1]), my $new = 3, (my @c = @l), values %h, $x = 9, ++$x); my @m = map { $_ *= 2; $_ } @l, $x; $_ .= 'z' for $x, @h{'k', 'n'}, (grep { $_ } @l), keys %h; my @f = sort { $a <=> $b } grep { $_ > 1 } map { $_ + 1 } @l; "$s @l $h{k} $x @m @f" . scalar(@l)
# what other languages write, and too many brackets
my $x = 1; migrate() if ($x <> 1);
#
if (1) { migrate() } elseif (2) { report() }
#
my $x = (1 elif 2);
#
my ($x, $y) = (1, 2); migrate() if ($x (=! $y));
#
((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))
