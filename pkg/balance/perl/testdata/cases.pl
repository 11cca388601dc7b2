# empty patterns and matches without length
join '|', "ab" =~ /|a/g
#
join '|', "aab" =~ /a*?/g
#
my $s = "abc"; $s =~ s/\w??/<$&>/g; $s
#
my $s = "abc"; my @r; while ($s =~ /b*?/g) { push @r, "$&." . length($`) } "@r"
#
my $s = "a\xe9b\xff"; my @r; while ($s =~ /(\W*?)/g) { push @r, "[$1]" . length($`) } "@r"
#
my $s = "xay"; join '|', map { defined $_ ? $_ : 'u' } $s =~ /(x)??(a)??/g
#
my $s = "line1\nline2\n"; $s =~ s/^/> /mg; $s
#
my $s = "a b"; $s =~ s/\b/|/g; $s
#
my $s = "a\n\nb\n"; my @l = $s =~ /^(.*)/mg; (my $t = $s) =~ s/^$/-/mg; (my $u = "\n") =~ s/^/x/mg; ("@l", $t, $u, scalar(() = "a\n" =~ /^/mg))
#
my $s = "ab\n"; my $t = $s; $s =~ s/$/!/g; $t =~ s/\Z|a/<>/g; my @l = "x\n" =~ /($)/g; ($s, $t, scalar @l)
#
my $s = "ab\n"; $s =~ s/$/!/g; $s
#
my $s = "ab\ncd"; $s =~ s/$/!/mg; $s
#
my $s = "aXbXc"; join '|', split /X??/, $s
#
join '|', split /|b/, "abc"
#
join '|', split /b|/, "abcb", -1
#
"foobar" =~ /o+/; my $s = "xooy"; my $r = $s =~ // ? "$&" : 'no'; $r
#
"foobar" =~ /o+/; my $s = "a oo b oo"; $s =~ s//X/g; $s
#
"foobar" =~ /(O+)/i; my $p = ''; my $s = "xOOy"; my $r = $s =~ /$p/ ? "$1" : 'no'; $r
#
{ "foobar" =~ /o+/ } my $s = "xooy"; $s =~ // ? "[$&]" : 'no'
#
my $s = "xooy"; "zz" =~ /q/; $s =~ // ? "[$&]" : 'no'
#
my $r = qr//; "foo" =~ /o/; "xay" =~ $r ? "[$&]" : 'no'
#
"b" =~ /b/; my @l = grep { // } qw(abc cde); "@l"
# each, keys and values on arrays
my @a = ('a'..'c'); my @r; while (my ($i, $v) = each @a) { push @r, "$i=$v" } "@r"
#
my @a = ('a'..'c'); my $r = each @a; $r .= each @a; keys @a; $r .= each @a; $r
#
my @a = ('a'..'c'); each @a; my @v = values @a; my ($i) = each @a; "@v $i"
#
my @a = (1, 2); $_++ for values @a; "@a " . keys(@a) . " " . join(',', keys @a)
#
my $r = [5, 6]; my $o = ''; while (my ($i, $v) = each @$r) { $o .= "$i$v;" } $o
#
my %h = (a => 1); $_ .= 'x' for values %h; my ($k, $v) = each %h; my @e = each %h; "$k$v" . @e
#
my @a = (1, 2, 3); delete $a[2]; delete $a[0]; (scalar(@a), exists $a[0] ? 1 : 0, exists $a[1] ? 1 : 0)
#
my @a = (1 .. 5); my @d = delete @a[1, 2]; "@d " . (defined $a[1] ? 1 : 0)
# next and last out of a sub
sub f1 { next if $_[0] == 2; 1 } my $r = ''; for my $i (1 .. 4) { f1($i); $r .= $i } $r
#
sub f1 { last if $_[0] == 3; 1 } my $r = ''; for my $i (1 .. 4) { f1($i); $r .= $i } $r
#
my $r = ''; for my $i (1 .. 4) { eval { next if $i == 2; 1 }; $r .= $i } $r
#
sub f1 { next OUTER if $_[0] == 2; 1 } my $r = ''; OUTER: for my $i (1 .. 3) { for my $j (1 .. 3) { f1($j); $r .= "$i$j " } } $r
#
my $r = ''; for my $i (1 .. 4) { my $c = sub { last if $i == 3 }; $c->(); $r .= $i } $r
#
sub f1 { next if $_[0] == 2; 1 } my $r = ''; my $i = 0; while ($i++ < 4) { f1($i); $r .= $i } $r
#
sub f1 { next if $_[0] == 2; 1 } my $r = ''; { f1(2); $r = 'after' } $r . 'x'
#
sub f1 { next if $_[0] == 2; 1 } my $r = ''; for (my $i = 0; $i < 4; $i++) { my @x = map { f1($_); $_ } $i; $r .= "@x" } $r
#
sub f1 { for my $x (1 .. 3) { next if $x == 2; last if $x == 3 } 'done' } my $r = ''; for my $i (1, 2) { $r .= f1() } $r
#
my $r = ''; my $i = 0; do { $i++; $r .= $i; last if $i == 2 } while ($i < 5); "$r"
#
my $r = ''; for my $i (1 .. 3) { my $x = $i == 2 ? next : $i; $r .= $x } $r
#
my $r = ''; for my $i (1 .. 3) { $i == 2 and next; $r .= $i; } continue { $r .= ';' } $r
#
my $r = ''; my $i = 0; until ($i >= 3) { $r .= $i } continue { $i++ } $r
# captures in lists
my $x = "abc"; ("a" =~ /a/ ? $& : '', $x =~ /b/ ? $& : '')
#
my @l = ("x1" =~ /(\d)/ ? $1 : '', "y2" =~ /(\d)/ ? $1 : ''); "@l"
#
"ab" =~ /(a)/; my @l = ($1, ($1, "xb" =~ /(b)/ ? 1 : 0), "$1"); "@l"
# here-documents
my $x = 'V'; my @l = (1, 2); <<A . <<"B" . <<'C'
a $x
A
@l
B
$x
C
#
my $x = 'V'; my $t = <<~A . <<~'B';
    a $x
      b @{[1 + 1]}

    A
	$x
	  y
	B
$t
#
lc(<<X) . "end"
ABC \x41 ${\ "x"}
X
# strings that grow
my $s = ''; $s .= $_ x 50 for 'a' .. 'j'; my $t = $s; $s .= 'tail'; $t .= 'other'; (length $s, length $t, substr($s, -6), substr($t, -6), $t eq $s ? 1 : 0)
#
my $s = 'x' x 200; my @k; for (1 .. 5) { push @k, $s; $s .= $_ } join ',', map { length($_) . substr($_, -1) } @k
#
my $s = 'x' x 200; $s .= $s; $s .= $s; my $t = substr($s, 0, 300); $t .= 'q'; $s .= 'r'; (length $s, length $t, substr($s, 299, 2))
#
my ($s, $u) = ('a' x 150); $u .= 'b' x 150; $s .= $u; $u .= $s; (length $s, length $u)
# values of loops and blocks
my @r = do { 1; 2 }; my $x = do { my @q = (7, 8); @q }; "@r $x"
#
my @l = (3, 1, 2); my ($min) = sort { $a <=> $b } @l; my $n = () = @l; "$min$n"
#
my @a = (1) x 3; my @b = (1, 2) x 2; my $s = '-' x 3; "@a @b $s" . 'a' x -1
#
my ($a1, undef, @rest) = (1, 2, 3, 4); "$a1 @rest"
#
my %h; $h{a}{b}[2] = 5; (join(',', sort keys %h), ref $h{a}, scalar @{ $h{a}{b} }, exists $h{x}{y} ? 1 : 0, exists $h{x} ? 1 : 0)
#
my @l = ([1, 2], [3]); my @f = map { @$_ } @l; "@f $#{$l[0]} ${$l[0]}[1] $l[1]->[0] $l[1][0] @{$l[0]}[0,1]"
#
my $r = \my @a; push @$r, 1, 2; my $s = \"text"; my $c = \&f1; sub f1 { "f(@_)" } ("@a", $$s, $c->(1), &$c(2), &f1(3), ref $r, ref $s, ref $c, ref \$r)
#
my @s = map { my $n = $_; sub { $n++ } } 1, 5; ($s[0]->(), $s[0]->(), $s[1]->())
#
my $x = 5; my $r = \$x; $$r++; my @c = (\$x, \$x); ${$c[0]} += 10; "$x"
#
my ($x, $y) = (10, 3); ($x % $y, -$x % $y, $x % -$y, $x ** $y, $x / 4, int(-$x / 3), 7.5 % 2, $x x $y, $x . $y, $x <=> $y, $x cmp $y)
#
(1 <=> 'nan', 'inf' + 0, -'foo', - -'foo', -'-foo', !1, !0, !!1, not(0) + 1, ~5 & 0xff, 1 << 3, 1 << 64, 256 >> 4, 6 ^ 3, 6 | 1, 'ab' | 'b', 'ab' & 'b', 'ab' ^ 'b')
#
my $x = 'az'; my $y = 'Zz'; my $z = 'a9'; my $u; my $n = '3abc'; $x++; $y++; $z++; $u++; $n++; my $f = 1.5; $f--; my $m = 'ab'; $m--; ($x, $y, $z, $u, $n, $f, $m)
#
my @l = (1, 2, 3); my @c = splice(@l, 1); my @d = (1 .. 6); splice(@d, 1, 2); splice(@d, -1, 1, 'x', 'y'); splice(@d, 1, 0, 9); my $p = splice(@d, 0, 2); ("@l", "@c", "@d", $p)
#
my $s = "hello"; substr($s, 0, 1) = 'J'; substr($s, -1, 1, 'y'); my $t = lc substr($s, 1, 3); substr($s, 2, 0) .= '--'; ($s, $t, substr('abc', 5) // 'undef', substr('abc', -5, 3))
#
my $s = "abcabc"; (my $t = $s) =~ tr/a-b/A-B/; my $n = ($s =~ tr/a//); my $d = $s =~ tr/a//dr; my $q = "aabbcc" =~ tr/a-c//sr; my $c = "a1b2" =~ tr/a-z//cdr; ($t, $n, $d, $q, $c)
#
my $s = "2007-11-21"; my ($y, $m, $d) = $s =~ /(\d+)-(\d+)-(\d+)/; my $n = () = $s =~ /\d/g; (my $t = $s) =~ s/(\d+)/<$1>/g; my $u = $s =~ s/-/./r; my $e = $s =~ s/(\d+)/$1+1/er; ($y, $m, $d, $n, $t, $u, $e)
#
my $s = "k=v; x=y"; my %h = $s =~ /(\w)=(\w)/g; "a.b" =~ /^(?<one>\w)\.(?<two>\w)$/; (join(',', map { "$_$h{$_}" } sort keys %h), "$+{one}$+{two}", "@-|@+", $+, "$`|$'")
#
my $re = qr/b+/i; my @l = grep { $_ =~ $re } qw(abc xyz BB); ("@l", "$re", "aBb" =~ /a${re}$/ ? 1 : 0, join('|', split $re, "1bb2B3"))
#
join('|', map { sprintf $_, 3.14159 } '%d', '%5.2f', '%-8s|', '%08.3f', '%e', '%g', '%x', '%+d', '%%', '%s', '%c', '%.0f', '%5s', '%03d', '%b', '%o', '%X', '%#x', '%G', '%E')
#
(sprintf('%s %s', 'a'), sprintf('%2$s-%1$s', 1, 2), sprintf('%*d|%-*d', 5, 42, 4, 7), sprintf('%.*f', 2, 1.005), sprintf('%vd', '1.22.333'), sprintf('%5s|%-5s|%05d', 'a', 'b', -3), sprintf('%s', 1e15), sprintf('%s', 1e16), sprintf('%d', '12abc'))
#
(lc 'ABC', uc 'abc', ucfirst 'abc', lcfirst 'ABC', length 'abc', ord 'a', chr 65, hex 'ff', oct '0x1f', oct '755', oct '0b11', abs -3, int 3.7, sqrt 16, index('hello', 'l'), rindex('hello', 'l'), join('-', 1, 2), reverse('abc') . '', scalar reverse('abc'))
#
my @l = (10, 9, 100, 1); ("@{[sort @l]}", "@{[sort { $a <=> $b } @l]}", "@{[sort { $b <=> $a } @l]}", "@{[reverse sort { $a cmp $b } @l]}", "@{[sort by @l]}"); sub by { $a <=> $b }
#
my @l = map { { n => $_, s => -$_ } } 3, 1, 2; join ',', map { $_->{n} } sort { $a->{s} <=> $b->{s} } @l
#
my $x = eval { die { code => 5 } }; my $c = $@->{code}; eval { die "plain\n" }; my $p = $@; eval { die "at" }; my $q = $@ =~ /^at at algorithm line \d+\.$/ ? 1 : 0; eval { eval { die "in\n" }; die "out: $@" }; ($c, $p, $q, $@)
#
my $v = eval { 1 / 0 }; my $e = $@; my $ok = eval { 5 }; ($e =~ /^Illegal division by zero/ ? 1 : 0, $ok, $@)
#
my @w = wantarray() ? 'list' : 'scalar'; sub f1 { wantarray ? 'l' : defined(wantarray) ? 's' : 'v' } my ($l) = f1(); my $s = f1(); ("@w", $l, $s)
#
my $n = 0; { local $_ = 5; $n += $_ } for (1 .. 3) { $n += $_ } our $g = 1; sub f1 { $g } { local $, = '-'; $n .= "x" } ($n, f1())
#
use List::Util qw(sum sum0 min max first any all none reduce product uniq minstr maxstr); (sum(1 .. 4), sum0(), min(3, 1, 2), max(1, 3), first { $_ > 1 } (1, 2, 3)), (any { $_ == 2 } 1, 2) ? 1 : 0, (all { $_ } 1, 0) ? 1 : 0, (none { $_ } 0) ? 1 : 0, (reduce { $a * $b } 1 .. 5), product(2, 3), join(',', uniq(1, 1, 2)), minstr('b', 'a'), maxstr('b', 'a')
#
use POSIX qw(floor ceil fmod strftime); (floor(-1.5), ceil(1.2), fmod(7, 3), strftime('%Y-%m-%d %H:%M:%S %j %a %b %e %y %I %p', 1, 2, 3, 4, 5, 107))
#
my @r; for my $i (reverse 1 .. 3) { push @r, $i } for (my ($i, $j) = (0, 5); $i < $j; $i++, $j--) { push @r, "$i$j" } "@r"
#
my $i = 0; my @r; while (1) { last if ++$i > 5; next unless $i % 2; push @r, $i } "@r"
#
my %h = (a => 1, b => 2, c => 3); delete @h{qw(a b)}; my @s = @h{'c', 'zz'}; my %p = (x => 1, %h); my %i = reverse %h; (join(',', %h), defined $s[1] ? 1 : 0, join(',', map { "$_$p{$_}" } sort keys %p), $i{3}, scalar(%h) ? 1 : 0)
#
my %h = (a => 1, b => 2); my %s = %h{'a'}; my @a = (5, 6, 7); my %t = %a[0, 2]; (join(',', %s), join(',', map { "$_=$t{$_}" } sort keys %t))
#
my @a = (0 .. 5); ("@a[1..3]", "@a[-2,-1]", $#a, $a[-1], $a[$#a], $a[1.7], "$a[1]$a[2]", (4, 5, 6)[1], join(',', (1, 2, 3)[-1, 0]), (sort { $b <=> $a } @a)[0])
#
my @a = (1, 2); $a[5] = 1; $#a = 3; my @b = @a; push @b, pop @b, shift @b; unshift @b, 'u'; (scalar @a, join ',', map { defined $_ ? $_ : 'u' } @b)
#
my $x = ''; $x ||= 'a'; my $y; $y //= 'b'; my $z = 1; $z &&= 'c'; my $u = 0; $u //= 5; my ($p, $q) = (3, 4); $p **= 2; $q %= 3; $x x= 3; my $b = 6; $b |= 1; $b ^= 2; $b &= 0xf; $b <<= 2; $b >>= 1; ($x, $y, $z, $u, $p, $q, $b)
#
my $s = "a-b_c d"; my @w = split /[-_ ]/, $s; my @c = split //, 'abc'; my @l = split /,/, 'a,b,,c,,'; my @k = split /,/, 'a,b,,c,,', -1; my @m = split /(,)/, 'a,b'; my ($f) = split ' ', "  lead x"; (scalar @w, "@c", scalar @l, scalar @k, "@m", $f)
#
my $d = "a\tb\\n\x41\x{42}\101\e[0m\cA\0"; my $q = 'a\tb\\n\''; my $l = "\LABC\E\Uabc\E\uabc\lABC\Qa.b\E"; (length $d, $q, $l, q{a{b}c}, qq<a<$q>c>, join(',', qw/a b c/))
#
my @e = (); my $c = @e; my ($f) = @e; my $l = $e[-1]; my $j = join ',', @e; ($c, defined $f ? 1 : 0, defined $l ? 1 : 0, $j, $#e, "@e[0..-1]")
#
my $t = 0; my $n = 10; $t += $n-- while $n; until ($n > 3) { $n++ } my @u = (1) unless 0; do { $n++ } until $n > 10; ($t, $n, scalar @u)
#
my $s = 0; L1: for my $i (1 .. 3) { L2: for my $j (1 .. 3) { next L1 if $j == 2; last L1 if $i == 3; $s += $i * $j } } $s
#
sub fact { my $n = shift; $n < 2 ? 1 : $n * fact($n - 1) } my $fib; $fib = sub { my $n = shift; $n < 2 ? $n : $fib->($n - 1) + $fib->($n - 2) }; (fact(10), $fib->(12))
#
sub addone { $_[0]++; @_ } my $v = 5; my $c = addone($v, 1, 2); my @a = (1, 2); addone(@a); ("$v$c", "@a")
#
my $x = "10"; my $y = "9"; ($x == 10.0 ? 1 : 0, $x eq "10.0" ? 1 : 0, $x < $y ? 1 : 0, $x lt $y ? 1 : 0, "abc" lt "abd" ? 1 : 0, "1e3" == 1000 ? 1 : 0, 0.1 + 0.2 == 0.3 ? 1 : 0, 1 / 3, 1e21, 255 == 0xff ? 1 : 0, 1_000, 1.0, 1.50, 0x1f, 0b101, 017)
#
my @l = (5, 3, 9); my ($mn, $mx) = (sort { $a <=> $b } @l)[0, -1]; my $str = "@l[0,1] $#l ${\ scalar @l} @{[ map { $_ * 2 } @l ]}"; my @g = grep { $_ > 4 } @l; my $cnt = grep { $_ > 4 } @l; my @x = grep /3|9/, @l; ($mn, $mx, $str, "@g", $cnt, "@x")
#
my $n = '12,5'; my $v = $n + 0; my $s = "3 apples" * 2; my $h = "0x1A" + 0; my $e = "1e2" + 1; my $d = ".5" + 0; my $m = "--5" + 0; my $w = " 42 " + 0; my $i = "inf" + 0; ($v, $s, $h, $e, $d, $m, $w, $i, "nan" + 0, "5_0" + 0)
#
our @stack = (1, 2); our %reg = (k => 'v'); our $n = 3; push @main::stack, $main::n; ("@::stack", $::reg{k}, $main::reg{'k'})
#
my $h = { list => [1, 2, 3], name => 'n', sub => sub { "got @_" } }; push @{ $h->{list} }, 4; my @k = sort keys %$h; my ($first, @rest) = @{ $h->{list} }; ("@k", "$first|@rest", $h->{sub}->(1), $$h{name}, "${$h}{name} $h->{list}[1] @{$h->{list}}[0,1]", scalar @{ $h->{list} }, $#{ $h->{list} }, exists $h->{nope} ? 1 : 0)
#
my $r = [1, [2, 3], { k => [4] }]; my @copy = @$r; my ($x, $y) = @{$r->[1]}; ($r->[1][1], $$r[0], ${$r}[0], $r->[2]{k}[0], "$x$y", ref $copy[2], "@{$r->[2]{k}}")
# host functions are not there, but references to them and to subs are
sub f1 { "@_" } my $r = \&f1; my @r = \(my $x, my $y); ${$r[1]} = 4; my ($p, $q) = \(my @a, my %h); push @$p, 1; my $l = \(1, 2); sub f2 { &f1 } (&$r(1), &f1(2), $y, "@a", ref $q, $$l, f2(7, 8), defined &f1 ? 1 : 0, defined &nosuch ? 1 : 0)
#
my %h; $h{$_} = 1 for 1 .. 100; delete $h{$_} for 1 .. 90; (scalar(keys %h), join(',', sort { $a <=> $b } keys %h)); 
#
my %h; $h{1, 2} = 'm'; my ($k) = keys %h; my @p = split /$;/, $k; ("@p", $h{1, 2}, $h{join $;, 1, 2})
#
use List::Util qw(uniq shuffle sum first); my $n = uniq(1, 1, 2); my @s = sort { $a <=> $b } shuffle(3, 1, 2); my $c = () = shuffle(1, 2); (scalar $n, "@s", $c, scalar(my @u = uniq(undef, undef, 'a', 'a', '')), List::Util::max(1, 5, 3), first { !defined } (1, undef))
#
use Scalar::Util qw(looks_like_number); (map { looks_like_number($_) ? 1 : 0 } 1, '1e5', 'abc', ' 1', '1x', 'inf', '', undef)
#
my @l = grep { /^[[:alpha:]]+$/ } qw(abc a1 Z); my @d = grep { /^[[:digit:]_]+$/ } qw(12 1_2 x); my @u = grep { /[[:upper:]]/ } qw(aB ab); my @s = grep { /[[:^space:]]/ } ' ', 'x'; my $p = join '', grep { /[[:punct:]]/ } map chr, 32 .. 126; my $x = join '', grep { /[[:xdigit:]]/ } map chr, 32 .. 126; ("@l", "@d", "@u", "@s", $p, $x)
#
my $all = join '', map chr, 0 .. 255; (map { my $n = () = $all =~ /$_/g; $n } '[[:lower:]]', '[[:alnum:]]', '[[:space:]]', '[[:blank:]]', '[[:print:]]', '[[:graph:]]', '[[:cntrl:]]', '[[:word:]]', '[[:ascii:]]', '\h', '\H', '\v', '\V', '\d', '\D', '\w', '\W', '\s', '\S', '\N', '.', '[\h]', '[\H]', '[\v\d]', '[\V]', '[^\W\d]', '[\S\n]', '[\b]', '[a\-z]', '[]a]', '[^]]', '[a-]', '[\w-.]', '\x41', '[\x41-\x43]', '\101', '\e', '\cA', '\0', '[\n\t]', '\t', '[^\x00-\x7f]', '\xe9', '[\xe0-\xff]')
#
my $s = "aXb\nCd\r\n"; (map { $s =~ /$_/ ? "$&" : 'no' } 'a.b', '(?i)ax', '(?s)b.C', '(?m)^C', '(?i:AX)b', '(?-i)a', '(?^:X)', '(?#comment)X', '(?x) X  b # c', '\Ra?', 'b$', '\z', '\Z', '\AaX', 'd\b', '\BX', 'a{1}X{1,}', 'X{0,2}b', 'b{,3}', 'x{2', 'X*?b', 'a+?X??b', '(?<n>X)(?P<m>b)', "(?'q'X)", '(?:aX)?b', '[^\n]+', '(a|X)+', '(?:)', 'a||b', '^', '\.|X', '\/|a', '\-|b')
#
my $s = "AbC"; (map { $s =~ /$_/i ? "$&" : 'no' } 'abc', '[a-b]+', '[^a]', 'B', '\x61', '[[:lower:]]+') , ("a b" =~ /a b/x ? 1 : 0), ("a b" =~ /a\ b/x ? 1 : 0), ("a#b" =~ /a\#b/x ? 1 : 0), ("ab" =~ /a  # comment
 b/x ? 1 : 0), ("ab" =~ /(a)(b)/n ? defined $1 ? 1 : 0 : 'no')
#
eval { my $p = '('; 'a' =~ /$p/ }; my $a1 = $@ =~ /^Unmatched \(/ ? 1 : $@; eval { my $p = '['; 'a' =~ /$p/ }; my $b1 = $@ =~ /^Unmatched \[/ ? 1 : $@; eval { my $p = '*'; 'a' =~ /$p/ }; my $c1 = $@ =~ /^Quantifier follows nothing/ ? 1 : $@; eval { my $p = 'a**'; 'a' =~ /$p/ }; my $d1 = $@ =~ /^Nested quantifiers/ ? 1 : $@; eval { my $p = ')'; 'a' =~ /$p/ }; my $e1 = $@ =~ /^Unmatched \)/ ? 1 : $@; eval { my $p = '[z-a]'; 'a' =~ /$p/ }; my $f1 = $@ =~ /^Invalid \[\] range/ ? 1 : $@; eval { my $p = '[[:foo:]]'; 'a' =~ /$p/ }; my $g1 = $@ =~ /^POSIX class \[:foo:\] unknown/ ? 1 : $@; ($a1, $b1, $c1, $d1, $e1, $f1, $g1)
#
(sprintf('%#g|%#.3g|%#G|%#.0f|%#o|%#b|%#X', 1, 100, 1e10, 3, 8, 5, 255), sprintf('%+d|% d|%+.1f|% .1f|%-+5d|%05.1f|%+s', 5, 5, 5, 5, 5, 2.5, 'x'), sprintf('%s|%d|%.0f|%e|%g|%5s|%-6s|%06d', 9**9**9, -9**9**9, 9**9**9, 9**9**9, -9**9**9, 9**9**9, 9**9**9, 1), sprintf('%vd|%vd|%vx', '1.2', '', 'AB'), sprintf('%c%c|%3c|%-3c|', 65, 255, 66, 67))
#
(sprintf('%u', -1), sprintf('%d', 1e19), sprintf('%d', -1e19), sprintf('%x', -1), sprintf('%i', '42abc'), sprintf('%o', 1e3), sprintf('%.5d', 42), sprintf('%+.3d', 7), sprintf('%.0d', 0), sprintf('%-8.3s|', 'abcdef'), sprintf('%08.2f', -3.14159), sprintf('%hd %ld %lld %hhd', 1, 2, 3, 4), sprintf('%2$*1$d', 6, 42), sprintf('%-*s|', 6, 'ab'), sprintf('%*s|', -6, 'ab'), sprintf('%.*s', -1, 'abc'), sprintf('%D %U %O %F', 1, 2, 8, 1.5), sprintf('%g', 1e-5), sprintf('%g', 123456789), sprintf('%.3g', 0.00012345), sprintf('%G', 1e-10), sprintf('%E', 12345.678), sprintf('%b', 10), sprintf('%B', 5), sprintf('%%|%5%|%-5%|'))
#
use POSIX qw(strftime); my @t = (5, 4, 3, 2, 0, 107, 2, 1); map { strftime("%$_", @t) } qw(Y C y G g V U W m d e H k I l M S p P j a A b h B u w F T X R r D x c n t %)
#
use POSIX; (POSIX::floor(1.5), POSIX::ceil(-1.5), fmod(-7, 3), strftime("%H:%M", 0, 30, 25, 1, 0, 100), POSIX::fmod(7.5, 2))
#
my @t = gmtime(0); my $s = gmtime(86400 * 365); my ($h) = (gmtime(3600 * 5))[2]; my @n = gmtime(-1); ("@t", $s, $h, "@n", scalar(gmtime(1e9)), "@{[gmtime('1.9')]}", scalar gmtime(-0.5))
#
my $w = ''; local $_ = 'topic'; my @d = (length, uc, lc, ord, defined, ucfirst, lcfirst, quotemeta, abs, int, hex, oct, chr(65)); my $t = "a\n"; chomp $t; my @c = ("x\n", "y\n"); my $n = chomp(@c); chop $t; my ($e, $f) = ("ab", "cd"); my $last = chop($e, $f); ("@d", $t, "@c", $n, $e, $f, $last)
#
my $x; undef $x; my @a = (1, 2); undef @a; my %h = (a => 1); undef %h; my @b = (1, 2); undef $b[0]; my $r = [1]; undef $r->[0]; (defined $x ? 1 : 0, scalar @a, scalar(keys %h), defined $b[0] ? 1 : 0, scalar @b, defined(undef) ? 1 : 0, defined($a[0]) ? 1 : 0, scalar(@$r))
#
my $r = [1, 2]; my $s = \$r; my $t = \$s; my @l = @$$s; my %h = (k => [5]); my $hr = \%h; ($$$s[0], ${$$s}[1], $$s->[1], "@l", ref $s, ref $t, $$hr{k}[0], "@{$$hr{k}}", "$$s->[0] $$$s[1] @$$s", $#$r, $#{$r}, $#{$$s}, "$#$r $#{$r} $#l", scalar(@{[1, 2, 3]}))
#
my $x; $$x = 5; my $y; push @{$y->{list}}, 1, 2; my $z; $z->[2]{k} = 1; my ($u, $v); @$u = (1, 2); %$v = (a => 1); my $n; my @e = @{$n || []}; my $c = () = %$v; ($$x, "@{$y->{list}}", scalar(@$z), "@$u", join(',', %$v), scalar @e, $c, exists $n->{q} ? 1 : 0, ref $n)
#
my $u; my $ok = eval { my @l = @$u; 1 } ? 1 : 0; my $n = eval { for (@$u) { 1 } 1 } ? 1 : 0; my $e = eval { my $c; $c->(); 1 } ? 1 : $@ =~ /^Can't use an undefined value as a subroutine reference/ ? 'undef' : $@; my $f = eval { my $c = [1]; $c->(); 1 } ? 1 : $@ =~ /^Not a CODE reference/ ? 'code' : $@; my $g = eval { my $c = {}; my @q = @$c; 1 } ? 1 : $@ =~ /^Not an ARRAY reference/ ? 'array' : $@; my $h = eval { my $c = []; my %q = %$c; 1 } ? 1 : $@ =~ /^Not a HASH reference/ ? 'hash' : $@; my $i = eval { my $c = []; my $q = $$c; 1 } ? 1 : $@ =~ /^Not a SCALAR reference/ ? 'scalar' : $@; ($ok, $n, $e, $f, $g, $h, $i)
#
my $v = eval { my @a = (1); $a[-3] = 1; 1 }; my $e1 = $@; $v = eval { sqrt(-1) }; my $e2 = $@; $v = eval { log(0) }; my $e3 = $@; $v = eval { 5 % 0 }; my $e4 = $@; $v = eval { my $s = 'abc'; substr($s, 5) = 'x'; 1 }; my $e5 = $@; $v = eval { for ("a" .. "b") { "ab" =~ /(a)/; $1 = 5 } }; my $e6 = $@; eval { die }; my $e7 = $@; eval { eval { die "x\n" }; die }; my $e8 = $@; ($e1, $e2, $e3, $e4, $e5, $e6, $e7, $e8)
#
my @r = map { my $x = $_; ($x) x 2 } 1, 2; my @s = map { +{ a => $_ } } 1; my @t = map { ; "$_" => 1 } 1, 2; my %u = map { ($_ => 1) } 'a'; my %v = map +($_ => 1), 'b'; my @w = map { lc } 'A', 'B'; my @x = map { { $_ => 1 } } 1; my $c = map { $_ } 1 .. 5; my @y = grep { !($_ % 2) } 1 .. 6; my @z = map { [$_, $_ * 2] } 1, 2; ("@r", $s[0]{a}, "@t", join(',', %u, %v), "@w", scalar(@x), $c, "@y", $z[1][1])
#
my @l = sort { $b->[0] <=> $a->[0] or $a->[1] cmp $b->[1] } [1, 'b'], [2, 'a'], [1, 'a']; my $by = sub { $b <=> $a }; my @s = sort $by 1, 3, 2; sub rev { $b cmp $a } my @t = sort rev qw(a c b); my @u = reverse sort { $a <=> $b } 10, 9, 8; my @v = sort { lc $a cmp lc $b } qw(B a C); my @w = sort { my $x = $a; my $y = $b; $x <=> $y } 3, 1; (join('|', map { "@$_" } @l), "@s", "@t", "@u", "@v", "@w", join(' ', sort(10, 9, 1)), join(' ', sort { $b cmp $a } 1, 10, 9))
#
my $i = 5; my @l = ($i++, $i, ++$i, $i--, -$i, +$i, !$i, ~0 == 18446744073709551615 ? 1 : 0, - - $i, -'abc', -"-abc", 5 <=> 3, 2 ** 3 ** 0, -2 ** 2, 7 . 8, "a" x 2 . "b", 1 . 1 + 1, 1 <=> 2 || 5, 0 || 'x', '' // 'y', 1 && 'z', (1, 2, 3)[1], 10 - 2 - 3, 2 + 3 . "5", 1 ? 2 ? 'a' : 'b' : 'c', 5 == 5.0, "1.0" == 1, !!0 eq '' ? 1 : 0); "@l"
#
my ($a1, $b1) = (1, 2); ($a1, $b1) = ($b1, $a1); my @arr = (1, 2, 3); ($arr[0], $arr[2]) = ($arr[2], $arr[0]); my ($x, @rest) = @arr; my ($p, $q, $z) = (1, 2); my $cnt = () = (5, 6, 7); my $n = (my ($m, $o) = (7, 8, 9)); @arr[0, 1] = (9, 8); my %h; @h{qw(a b)} = (1, 2); my ($f) = (4, 5); my $last = (4, 5)[-1]; ($h{c}, my $t) = (3, 4); (my $u = 'abc') =~ s/b/X/; ("$a1$b1", "@arr", $x, "@rest", defined $z ? 1 : 0, $cnt, $n, "$h{a}$h{b}$h{c}$t", $f, $last, $u)
#
for my $x (my @t = (1, 2)) { $x *= 2 } my @l = (1, 2, 3); $_ *= 2 for @l; for (my $i = 0, my $j = 10; $i < 3; $i++) { $j-- } my ($s, $k) = (0); foreach my $v (@l, 4) { $s += $v } for ('a' .. 'c') { $k .= $_ } for my $e (reverse @l) { $k .= $e } my $u = 0; for (1 .. 3) { for (1 .. 2) { $u++ } } my $w = ''; while (my $e = shift @l) { $w .= $e; last if $e > 3 } ("$s$k$u$w", "@l")
#
our ($g, @ga, %gh) = (1); $g = 5; @ga = (1, 2); %gh = (a => 1); { local $_ = 3; $g += $_ } sub inc { our $g; $g++ } inc(); $main::g += 10; use feature 'state'; sub ctr { state $n = 10; return $n++ } ctr(); (ctr(), $g, "@ga", $gh{a}, "@main::ga", ${main::g}, "${g}x", "@{ga}")
#
my $s = "x" . "-" x 3 . "y"; my $l = "a,b;c"; my @p = split /[,;]/, $l; my ($k, $v) = split /=/, 'key=val=x', 2; my @w = split ' ', ' a  b '; my @e = split //, ''; my @m = split /(-)|(,)/, 'a-b,c'; my @lim = split /,/, 'a,b,c,d', 2; my @neg = split /,/, 'a,,', -1; my @t = split 'x', 'axbxc'; my @any = split /\s*,\s*/, 'a , b,c'; my $re = qr/;/; my @q = split $re, 'a;b'; my @caret = split /^/, "a\nb\nc"; $_ = 'd e f'; my @def = split; my $cnt = () = split /,/, 'a,b,c'; ($s, "@p", "$k|$v", "@w", scalar(@e), join('|', map { defined $_ ? $_ : 'u' } @m), "@lim", scalar(@neg), "@t", "@any", "@q", scalar(@caret), "@def", $cnt)
#
my $s = 'abc'; my @subs = (substr($s, 1), substr($s, -2), substr($s, 0, -1), substr($s, 1, 1), substr($s, -2, 1), substr($s, 3), substr($s, 0, 0), substr($s, -3, 2)); my $t = 'hello world'; substr($t, 0, 5) = 'HELLO'; substr($t, -5) =~ s/world/W/ if 0; my $u = 'abcdef'; my $cut = substr($u, 1, 2, ''); lc(substr $u, 0, 1); my @i = (index('abc', 'c'), index('abc', 'z'), index('abcabc', 'b', 2), index('abc', ''), index('abc', '', 9), rindex('abcabc', 'b'), rindex('abcabc', 'b', 3), rindex('abc', ''), rindex('abc', 'a', -1), rindex('abc', '', -1), index('abc', 'a', -5)); (join('|', @subs), $t, $u, $cut, "@i")
#
my $t = 'hello'; (my $u = $t) =~ tr/a-y/b-z/; my $n = $t =~ tr/l//; (my $d = $t) =~ tr/l//d; (my $sq = 'aabbcc') =~ tr/a-c//s; (my $c = 'a1b2') =~ tr/a-z//cd; (my $m = 'abc') =~ tr/a-c/A-B/; (my $r = 'abc') =~ tr/abc/x/; my $ret = ($t =~ tr/a-z/A-Z/r); (my $cs = 'a  b') =~ tr/ //s; (my $e = "a\tb\\") =~ tr/\t\\/TB/; (my $rng = 'a-b') =~ tr/a\-b/123/; $_ = 'topic'; tr/o/0/; my $cc = ($t =~ tr/a-zA-Z//c); (my $cx = 'x1y2') =~ tr/a-z/*/c; y/t/T/; my $neg = $t !~ tr/z//; ($u, $n, $d, $sq, $c, $m, $r, $ret, $cs, $e, $rng, $_, $cc, $cx, $neg)
#
my $s = 'aaa'; my $n = ($s =~ s/a/b/); my $g = ($s =~ s/a/c/g); my $none = ($s =~ s/z/y/); (my $x = 'a.b.c') =~ s/\./-/g; (my $y = 'price 10') =~ s/(\d+)/$1 * 2/e; (my $z = 'a b') =~ s/(\w) (\w)/$2 $1/; my $r = 'abc' =~ s/b/X/r; (my $c = 'abc') =~ s/(?<l>b)/[$+{l}]/; (my $u = 'hello') =~ s/(\w+)/\u$1/; (my $v = 'hello') =~ s/l/\U$&/g; (my $w = "a\nb") =~ s/\n/ /; (my $q = 'a/b') =~ s{/}{::}; (my $p = 'x') =~ s'x'$y'; (my $e = 'aXbX') =~ s/X/my $k = 1; $k + 1/ge; $_ = 'foo'; s/o/0/; my @l = map { s/a/b/r } qw(a ba); (my $i = 'ABC') =~ s/b/x/i; ($n, $g, $none, $s, $x, $y, $z, $r, $c, $u, $v, $w, $q, $p, $e, $_, "@l", $i)
#
my @l = (1) x 3; my $x = '=' x 10; my @m = (0, 1) x 2; my @n = map { [(0) x 2] } 1 .. 2; my @z = (1, 2) x 0; my @o = (my @p = (1, 2)) x 2; my @w = qw(a b) x 2; ("@l$x@m", scalar(@n), scalar(@z), "@o", "@w", '-' x 2.7, 'a' x '2b', scalar((1, 2) x 2))
#
my @e = ('a' .. 'e', 'x' .. 'ab', '08' .. '11', 'zz' .. 'b', 2.5 .. 4.5, -2 .. 1, '1' .. '3', 'a' .. 'a', '' .. 'b', 5 .. 1, 'aa' .. 'ac', '09' .. '08'); (scalar(@e), "@e[0..9]", join(',', map { defined $_ ? $_ : 'u' } @e[-20 .. -1]))
#
my $a1 = "10" + "20"; my $b1 = "3 dogs" * "2"; my $c1 = "abc" . 5 + 3; my $d1 = 1_000 + 0x1f + 0b11 + 017 + 0o17; my $e1 = 1e3 + 1E-2 + .5 + 1.; my $f1 = 10 / 3; my $g1 = int(10 / 3); my $h1 = 2 ** 10; my $i1 = 2 ** -1; my $j1 = 2 ** 0.5; my $k1 = -7 / 2; my $l1 = 1e308 * 10; my $m1 = 9223372036854775807 + 1; my $n1 = 18446744073709551615 + 0; my $o1 = 0.1 + 0.2; my $p1 = 1e15 + 0.3; my $q1 = 1 / 7; my $r1 = 1e100; my $s1 = -0.0; my $t1 = 3.14e2; my $u1 = 1.10; my $v1 = 100000 * 100000; my $w1 = 99999999999999999999; ($a1, $b1, $c1, $d1, $e1, $f1, $g1, $h1, $i1, $j1, $k1, $l1, $m1, $n1, $o1, $p1, $q1, $r1, $s1, $t1, $u1, $v1, $w1)
#
('abc' lt 'abd' ? 1 : 0, 'a' cmp 'b', 'b' cmp 'a', 10 <=> 9, '10' cmp '9', 1 == 1.0 ? 1 : 0, 'a' eq "a" ? 1 : 0, 'a' ne 'b' ? 1 : 0, 5 != 5 ? 1 : 0, (1 < 2) + 1, (1 > 2) . 'x', !1 . 'y', defined(1 > 2) ? 1 : 0, 1 < 2 && 2 < 3 ? 'ok' : 'no', (2 <=> 'x') . '', 'abc' x -1, not(1) . 'n', (1 xor 1) . 'x', (1 xor 0) . 'x', 'a' le 'a' ? 1 : 0, 'b' ge 'a' ? 1 : 0, 'b' gt 'c' ? 1 : 0, 1 <= 1 ? 1 : 0, 1 >= 2 ? 1 : 0, 1 < 5 < 9 ? 'in' : 'out', 1 == 1 != 0 ? 'chain' : 'no')
#
my @stack; push @stack, 1, 2, 3; my $p = pop @stack; unshift @stack, 0; my $s = shift @stack; my @sp = splice(@stack, 0, 1); push @stack, (4, 5); my @copy = @stack; $copy[0] = 'c'; my @two = ([1, 2], [3, 4]); push @{$two[0]}, 9; my $len = push @stack, 6; my $ul = unshift @stack, 7, 8; my ($none) = splice(@stack, 10, 1); my @neg = splice(@stack, -2); my @ins = (1, 5); splice(@ins, 1, 0, 2, 3, 4); splice(@ins, 1, 2); my @all = splice(@ins); my $e = pop(@{[]}); my @del = splice(@two, 0, -1); ("$p$s", "@sp", "@stack", "@copy", $len, $ul, "@neg", "@all", scalar(@ins), scalar(@del), defined $e ? 1 : 0)
#
my %h = (one => 1, two => 2, three => 3); my @k = sort keys %h; my @v = sort { $a <=> $b } values %h; my %inv = reverse %h; my $n = keys %h; delete $h{one}; my $ex = exists $h{one} ? 1 : 0; my @s = @h{qw(two three)}; my ($first) = sort keys %h; $h{$_}++ for qw(two two new); my %m = (%h, x => 1); my %n = map { $_ => length } qw(a bb); while (my ($k, $v) = each %n) { $n{$k} = $v * 2 } my $d = delete $h{nosuch}; my @dl = delete @h{qw(two new)}; my %e; my $t = %e ? 'full' : 'empty'; my $hr = { %m, -opt => 1, 'a b' => 2 }; $h{a}{b} = 1; $h{'x y'} = 1; ("@k|@v|$inv{2}|$n|$ex|@s|$first", $m{two}, $n{bb}, defined $d ? 1 : 0, "@dl", $t, $hr->{-opt}, $$hr{'a b'}, $h{a}{b}, $h{"x y"}, scalar(%m) ? 1 : 0)
#
sub ctx { return wantarray ? 'list' : defined wantarray ? 'scalar' : 'void' } my @l = ctx(); my $s = ctx(); my ($p) = ctx(); my $t = [ctx()]->[0]; my $u = "@{[ctx()]}"; my $v = (ctx())[0]; my $w = ctx() . ''; my %h = (k => ctx()); my @m = (1, ctx()); my $x = (1, ctx())[1]; if (ctx() eq 'scalar') { $x .= '!' } sub lst { return (4, 5, 6) } sub arr { my @a = (4, 5, 6); return @a } my $y = lst(); my $z = arr(); my $cnt = () = lst(); sub nothing { return } my @no = nothing(); my $no = nothing(); sub imp { if ($_[0]) { 'yes' } else { 'no' } } sub un { unless ($_[0]) { 'u' } } ("@l", $s, $p, $t, $u, $v, $w, $h{k}, "@m", $x, $y, $z, $cnt, scalar(@no), defined $no ? 1 : 0, imp(1), imp(0), un(0), scalar(un(5)))
#
my @a = (1, 2, 3); my $str = "n: $#a last: $a[-1] $a[$#a] expr: @{[scalar @a]} ${\($a[0] + 1)}"; my %h = (k => { j => [7] }, 'two words' => 5); my $i = 1; my $o = [1, [2, 3]]; my $m = 'me@example.com'; my $e = "\$5.00 \@home 50% $a[$i] $a[$i-1] $a[-1] $h{k}{j}[0] $h{'k'}->{j}->[0] $h{'two words'} $o->[1][0] $$o[0] ${$o}[0] @{$o->[1]} @a[0,1] @h{'two words'} $i-1 $i->x ${i}th @{[ map { $_ * 2 } @a ]} $m \x{41}\x42\103\t|\\|\"|" . '$not @this \n' . "a" . "@{a}"; $e
#
my $x = 5; my $r = ''; if ($x > 3) { $r .= 'a' } elsif ($x > 1) { $r .= 'b' } else { $r .= 'c' } unless ($x == 5) { $r .= 'd' } else { $r .= 'e' } unless ($x) { 1 } elsif ($x == 5) { $r .= 'f' } $r .= 'g' if $x; $r .= 'h' unless $x; $r .= $x > 3 ? 'i' : 'j'; { my $x = 1; $r .= $x } do { $r .= 'k' } while (0); do { $r .= 'l' } until (1); $r .= do { 1; 'm' }; $r .= do { if ($x) { 'n' } else { 'o' } }; $r .= (sub { 'p' . shift })->('q'); my $y = $x == 5 && 'yes'; my @l = (1) x ($x == 5); $r . $y . "@l"
#
my $n = 0; OUTER: while (1) { while (1) { $n++; next OUTER if $n < 3; last OUTER } } my @r; ROW: for my $i (1 .. 3) { COL: for my $j (1 .. 3) { next ROW if $j > $i; push @r, "$i$j" } } my $k = 0; { $k++; last if $k > 5; $k++ } B: { last B; $k = 100 } my $t = 0; for (;;) { last if ++$t > 3 } my $w = 10; $w-- while $w > 5; $w++ until $w >= 8; my $u = 0; until ($u >= 2) { $u++; next } ($n, "@r", $k, $t, $w, $u)
#
my ($x, $y) = (3, 4); sub hyp { my ($a, $b) = @_; return sqrt($a ** 2 + $b ** 2) } sub named { my %o = (size => 1, @_); "$o{size}$o{color}" } sub modify { $_[0] = 'changed' } my $m = 'orig'; modify($m); sub count { scalar @_ } sub firstarg { shift } sub lastarg { pop } sub defaulted { my $v = shift // 'def'; my $w = @_ ? shift : 'none'; "$v$w" } my $anon = sub { my ($f, @r) = @_; $f->(@r) }; my @subs = map { my $n = $_; sub { $n * shift } } 1 .. 3; sub outer { my $v = shift; my $in = sub { $v . shift }; $in->('i') } sub rec { my ($n, $acc) = @_; $n ? rec($n - 1, $acc . $n) : $acc } (hyp($x, $y), named(color => 'red'), $m, count(1, (2, 3), ()), firstarg(5, 6), lastarg(5, 6), defaulted(), defaulted(0, 1), $anon->(\&hyp, 6, 8), $subs[2]->(5), outer('o'), rec(3, ''))
#
my $c = do { my $n = 0; sub { ++$n } }; $c->(); my ($p, $q) = do { my $v = 10; (sub { $v++ }, sub { $v }) }; $p->(); my @acc = map { my $t = $_; { get => sub { $t }, set => sub { $t = shift } } } 1, 2; $acc[0]{set}->(9); my %disp = (add => sub { $_[0] + $_[1] }, mul => sub { $_[0] * $_[1] }); my $fact; $fact = sub { my $n = shift; $n <= 1 ? 1 : $n * $fact->($n - 1) }; my $comp = sub { my ($f, $g) = @_; sub { $f->($g->(@_)) } }; my $cc = $comp->(sub { "f($_[0])" }, sub { "g($_[0])" }); my @x; for my $i (1 .. 3) { push @x, sub { $i } } my @w; { my $j = 0; while ($j < 2) { my $k = $j; push @w, sub { $k }; $j++ } } ($c->(), $q->(), $acc[0]{get}->(), $acc[1]{get}->(), $disp{add}->(2, 3), $disp{mul}->(2, 3), $fact->(5), $cc->('x'), join(',', map { $_->() } @x, @w))
#
my $e = eval { die "msg\n"; 1 }; my $m = $@; my $ok = eval { 42 }; my @l = eval { (1, 2, 3) }; my $line = eval { die "no newline" } || $@; eval { die { code => 404, list => [1] } }; my $code = ref $@ ? $@->{code} . $@->{list}[0] : ''; eval { eval { die "inner\n" }; $m .= "caught $@"; die "outer\n" }; my $o = $@; my $r = eval { return 'early'; 'late' }; sub thrower { die "from sub\n" } eval { thrower() }; my $s = $@; my $v = eval { 1 } || 'zero'; eval { my $x = 1; $x / 0 }; my $d = $@ =~ /division by zero/ ? 1 : 0; my $nest = eval { my $q = eval { die "a\n" } || 'recovered'; $q }; for my $i (1 .. 2) { eval { next if 0; die "loop$i\n" }; $m .= $@ } (defined $e ? 1 : 0, $m, $ok, "@l", $line, $code, $o, $r, $s, $v, $d, $nest)
#
die "stop here\n"
#
my $x = 1; die { a => 1 } if $x > 1; die "at line"
#
return (1, 2, 3); 5
#
my @r = (1, 2); return wantarray ? @r : 'scalar'
#
use strict; use warnings; my $x = 5; my @l = map { $_ * $x } 1 .. 3; "@l"
#
no strict; no warnings; use vars qw($v @w); $v = 1; @w = (2); use 5.010; use feature qw(say state); use v5.10; "$v@w"
#
my $y = 1; my $q = { x => 1, y => 2, s => 3, m => 4, q => 5 }; my %s = (y => 1, tr => 2); ($q->{x}, $q->{y}, $$q{s}, $q->{m}, $q->{q}, $s{y}, $s{tr}, (s => 1)[0], (y => 2)[0])
#
my $v = 0777 + 0xFF + 0b11 + 1_0; my $f = 1.5e3 + 1e+2 + 1E-1; my $big = 0xFFFFFFFFFFFFFFFF; my $sum = 0; $sum += $_ for 1 .. 10; ($v, $f, $big, $sum, __LINE__, __PACKAGE__, "\x{e9}" eq "\xe9" ? 1 : 0, length("\x{100}") > 0 ? 1 : 0, "\N{U+41}", "\101\x41", ord("\cZ"), "\a\e\f" eq "\x07\x1b\x0c" ? 1 : 0)
#
my ($x, $y) = split /,/, "1,,,"; my ($p) = split ' ', ' q r s'; my ($m, undef, $n) = split /,/, 'a,b'; my ($f, @r) = split /,/, 'a,b,,'; (defined $y ? 1 : 0, $p, defined $n ? 1 : 0, scalar @r)
#
'q' !~ s/z/y/r
#
my $r = eval { return 'early'; 'late' }; my @l = eval { return (1, 2); 3 }; sub f1 { my $x = eval { return (4, 5) }; for (1) { my $y = eval { return 7 } ; $x .= $y } return ($x, 'l') } my $s = f1(); my ($t) = f1(); my $n = eval { for (1 .. 3) { return $_ if $_ == 2 } 9 }; ($r, "@l", $s, $t, $n)
# corners
(1e19 + 0, "1e19" + 0, "18446744073709551615" + 1, "-inf" + 0, "-nan" eq 'x' ? 1 : 0, "-0" + 0, "-0" * 1, 18446744073709551615 % -10, -3 ** 3, (-3) ** 3, (-2) ** 63, (-3) ** 39, 7 % 18446744073709551615, -7 % 18446744073709551615)
#
my @a = (1, 2, 3); my $v = eval { splice(@a, -9, 1); 1 } ? 'ok' : $@; my %h = (a => 1, b => 2); my $k = each %h; my $n = () = each %h; my $d = delete $h{zz}; my $x = delete $a[9]; my @dd = delete @a[5, 0]; my $dl = delete @h{'a'}; ($v, defined $k ? 1 : 0, $n, defined $d ? 1 : 0, defined $x ? 1 : 0, scalar @dd, defined $dl ? 1 : 0)
#
my (($p, $q), $r) = (1, 2, 3); ($p)
#
my ($x, ($y, $z)) = 5 if 0; my ($s, $t); ($s, ($t, my $u)) = (1, 2, 3); my (undef, $v) = (7, 8); "$s$t$u$v"
#
my $s = ''; for my $i (1 .. 5) { my @q = map { next if $_ == 3; $_ } $i; $s .= "@q" } my @f = grep { last if $_ > 5; $_ } (1, 2) for 1; my $g = do { my $t = 5; $t > 3 ? 'big' : 'small' }; my @e = map { my @p = ($_, 1); @p } 1, 2; ($s, $g, "@e")
#
use List::Util qw(reduce first any all none notall sum min); my $u = reduce { $a + $b } (); my $one = reduce { $a * $b } 5; my $f = first { $_ eq 'q' } qw(a b); my @x = (any { $_ } 0, 0) ? 'y' : 'n'; my $na = notall { $_ } 1, 0; (defined $u ? 1 : 0, $one, defined $f ? 1 : 0, "@x", $na ? 1 : 0, defined(sum()) ? 1 : 0, defined(min()) ? 1 : 0, (none { $_ > 5 } 1, 2) ? 1 : 0, (all { 1 } ()) ? 1 : 0, first(sub { $_ > 1 }, 1, 2, 3) // 'u')
#
my (@arr, %map) = (1, 2); sub usearr { push @arr, 9; $map{k} = 5; scalar @arr } usearr(); my $anon = sub { push @arr, 7; $map{j} = 6; "@arr" }; my $r = $anon->(); sub outer2 { my $v = shift; sub inner2 { 'in' } $v . inner2() } ("@arr", $r, join(',', map { "$_$map{$_}" } sort keys %map), outer2('o'))
#
my $x = 5; my $t = ($x > 3) ? do { 'a' } : 'b'; $x > 3 ? ($t .= 'c') : ($t .= 'd'); $x < 3 ? ($t .= 'e') : ($t .= 'f'); my @l = $x > 9 ? (1) : (2, 3); for my $e ($x < 3 ? @l : (7, 8)) { $t .= $e } sub v { return wantarray } my @w = (sort { $a <=> $b } 3, 1); sort { $a <=> $b } 1; my $last = $#{[]}; my $nn = @{[]} + 0; ("$t@l@w", $last, $nn)
#
$_ = 'rev'; my $r = reverse; my $s = reverse 'ab', 'cd'; my $c = () = reverse 1, 2; my @d = (defined @{[1]}[0] ? 1 : 0); my %e; my $sp = split /,/, 'a,b,c'; my $li = (localtime(0))[5] ? 1 : 0; srand(42); my $z = rand() < 1 ? 1 : 0; my $r2 = int(rand(1)); my $sr = srand(5); my $s0 = srand(0); ($r, $s, $c, "@d", $sp, $z, $r2, $sr, $s0)
#
srand(42); my @r = map { int(rand(1000)) } 1 .. 5; srand(1); push @r, map { sprintf '%.6f', rand(10) } 1 .. 3; "@r"
#
my @l = (my ($m, $n) = (1, 2)); my $c = my ($o) = (5, 6); for my $q (my $z = 4) { $q++; $o .= $z } my $t = 0; for (my ($i) = (3); $i; $i--) { $t += $i } for ((1, 2), (3)) { $t += $_ } foreach my $e ('a' .. 'c') { last if $e eq 'b'; $t .= $e } for my $v (5, 6, 7) { last if $v == 6; $t .= $v } my @u; $u[2] = 1; my $d = 0; for (@u) { $d++ unless defined } my $e = grep { !defined } @u[0, 1, 5]; ("@l", $c, $o, $t, $d, $e)
#
my $e2 = eval { for (1 .. 1e20) { last } 1 } ? 1 : $@; my $n = 0; for (9223372036854775806 .. 9223372036854775807) { $n++ } ($e2, $n)
#
my @w; { local $, = '-'; local $\ = "!"; local $" = '+'; my @l = (1, 2); push @w, "@l" } { local $_ = 'in'; push @w, $_ } my @m = (1, 2); push @w, "@m"; local $@ = 'kept'; push @w, $@; join ';', @w
#
my $p = 'b+'; my @r; for (1 .. 3) { push @r, "abbc" =~ /$p/ ? $& : '' } my $q = qr/x/ ? 1 : 0; my $n = ('abc' !~ /z/); my $s = 'aa'; my $o = $s =~ s/z/y/r; my $f = ($s !~ s/a/b/); (my $t = 'aab') =~ tr/aa/xy/; my @c = split "^", "a\nb"; my ($u) = 'k1' =~ /k(\d)?(z)?/; my @un = 'k' =~ /k(z)?/; my $pre = 'x' =~ /q/ ? $+ : 'none'; (scalar(@r), "@r", $q, $n, $o, $f ? 1 : 0, $t, scalar(@c), $u, defined $un[0] ? 1 : 0, $pre, scalar(@-) > 0 ? 1 : 0)
#
sub early { for my $i (1 .. 3) { while (1) { return "r$i" if $i == 2; last } } 'none' } sub tern { my $x = shift; $x ? return 'yes' : return 'no' } sub short { $_[0] or return 'zero'; 'nonzero' } sub andr { $_[0] and return 'and'; 'fall' } sub last_and { $_[0] && return 'la' } sub nested { { { return 'deep' } } } sub lastif { if ($_[0]) { return 'a' } elsif ($_[1]) { 'b' } else { 'c' } } (early(), tern(1), tern(0), short(0), short(1), andr(1), andr(0), last_and(1), scalar(last_and(0)), nested(), lastif(1), lastif(0, 1), lastif(0, 0))
#
my $u; my @l = @{$u->{list} || []}; my $n = scalar @{$u->{none} // []}; my $k = keys %{$u->{h}}; my $v = $u->{deep}[0]{x}; my @s = (sub { [1, 2] })->()->[1]; my $x = [[1, 2], [3]]->[0][1]; my $y = { a => [5] }->{a}[0]; my @z = @{[1, 2]}[0, 1]; my @hs = @{{ a => 1, b => 2 }}{qw(a b)}; my $ss = ${\ 'str'}; my $c = (sub { $_[0] })->(9); my %o = %{$u->{opt} || {}}; my $f = ("a", "b")[1]; my $g = (stat1())[0]; sub stat1 { (7, 8) } my ($q) = @{[map { $_ } 4, 5]}; my $un = $$u{nope}; (scalar(@l), $n, $k, defined $v ? 1 : 0, "@s", $x, $y, "@z@hs", $ss, $c, $f, $g, $q, join(',', sort keys %$u))
#
my $c = [sub { 'c0' }, sub { "c1@_" }]; my $h = { f => sub { "hf@_" }, g => { h => sub { 'deep' } } }; my %d = (x => sub { 'dx' }); my @a = (sub { 'a0' }); ($c->[0]->(), $c->[1](5), $h->{f}(6), $h->{g}{h}->(), $d{x}->(), $a[0]->(), &{$h->{f}}(1), &{$c->[0]}, &{sub { "@_" }}(3))
#
my $y = 'x'; my %h = (-foo => 1, +bar => 2, 'baz', 3, qux => 4,); my @l = (1, 2, , 3,); my %s = (if => 1, y => 2, q => 3, print => 4); my $z = -$y; my $w = - 'a'; ($h{-foo}, $h{bar}, $h{baz}, scalar(@l), $s{if}, $s{y}, $s{q}, $s{print}, $z, $w, -e1 => 5)
#
my @c = (oct('0o17'), oct('x1f'), oct('b101'), oct('o17'), oct(' 12'), hex('1_f'), hex('x1F'), hex(''), oct(''), hex('ffffffffffffffff'), 0xffff_ffff, chr(300) eq chr(300) ? 1 : 0, length(chr(200)), index('abc', 'bc', 5), rindex('abc', 'c', -5), substr('abc', 1, 9223372036854775807), sprintf('%.0g', 3.7), sprintf('%#.0g', 3.7), sprintf('% d', -3), sprintf('%+s', 'x'), sprintf('%'), sprintf('%5'), sprintf('abc%'), sprintf('%+d', 9 ** 9 ** 9), sprintf('%d', 'inf'), sprintf('%d', '  '), "\c[" eq "\e" ? 1 : 0, "\ca" eq "\x01" ? 1 : 0, "\b" eq chr(8) ? 1 : 0, "\x" eq "\0" ? 1 : 0, "\l\UABC", "\u\LABC\E", "\Qa.b\E.", "\Ex", "\LA\UB", "\L\uABC", "\U\lABC", "\u\LABC d\E", "x\LA\uB"); "@c"
#
my @t = (0, 0, 0, 1, 0, 100); use POSIX 'strftime'; (strftime('%s', gmtime(86400)), strftime('%z %Z', gmtime(0)), strftime('%Q%', @t), strftime('', @t), strftime('plain', @t))
#
my $x = 3; print STDERR '' if 0; my $v = (print '') ? 1 : 0; my @l = (1, 2, 3)[1 .. 2]; my @m = (1) x @l; my $str = "@{[ (1) x 2 ]}" . "-" x 3; my ($a1, $b1) = @{[5, 6]}; my $neg = - - 5; my $nots = !!5; my $chain = $x == 3 ? $x < 2 ? 'a' : 'b' : 'c'; my $r = $x =~ /^\d$/ && $x > 2; my $cat = 'a' . 1 + 2; my $un = not 0; my $xx = "a" lt "b" and 0; unless ($x == 4) { $v .= 'u' } ($v, "@l", "@m", $str, $a1, $b1, $neg, $nots, $chain, $r, $cat, $un, $xx)
#
my $s = 'The quick brown fox'; my ($f, $l) = $s =~ /^(\w+).*?(\w+)$/; my @w = $s =~ /(\w+)/g; my $c = () = $s =~ /o/g; my %len = map { $_ => length } @w; my ($long) = sort { $len{$b} <=> $len{$a} || $a cmp $b } keys %len; my $t = join ' ', map { ucfirst lc } reverse @w; my $pos = index $s, 'quick'; (my $u = $s) =~ s/(\w+)/<$1>/g; my @p; while ($s =~ /(\w)\w*/g) { push @p, $1 } my $v = $s =~ tr/a-z//; my @parts = split /\s+/, $s, 2; ($f, $l, scalar @w, $c, $long, $t, $pos, $u, "@p", $v, $parts[1])
# found by fuzzing
join '|', "a:b[c" =~ /[[:]/g
#
my @l = "x[:y:]z" =~ /[[:][:]]/g; "@l"
#
my $x = ('' =~ /^$/) !~ // ? 1 : 0; my @l = ('ab' =~ /b/) =~ //; "$x @l"
#
sub f9 { my $r = shift =~ /a/ ? 1 : 0; "$r@_" } f9('a', 'b')
# tr counts what it deletes, too
my $s = 'abcabd'; my $n = ($s =~ tr/ab//d); my $m = ($s =~ tr/a-z//c); my $k = $s =~ tr/c-d/x/; "$n $m $k $s"
# aliases of hash elements and of what grep finds; a literal's place in //g
my %h = (a => 1); sub inc1 { $_[0]++ if @_; $_++ for @_[1 .. $#_]; 1 } inc1($h{a}, $h{a}); sub see1 { scalar @_ } see1($h{zz}); my $k = join ',', sort keys %h; my $d = defined $h{zz} ? 1 : 0; "$h{a} $k $d"
#
my %h; $_ .= 'x' for @h{qw(a b)}, $h{c}; sub see { scalar @_ } my $n = see(@h{qw(d e)}, $h{f}); join(',', $n, map { "$_=" . ($h{$_} // 'u') } sort keys %h)
#
my @q = (1, 2, 3); $_++ for grep { $_ > 1 } @q; my %z = (a => 1, b => 5); $_ *= 2 for grep { $_ > 2 } values %z; sub twice { $_ *= 2 for @_ } twice(grep { $_ == 1 } @q); my $m = map { $_ .= 'm' } grep { /4/ } @q; "@q $z{a} $z{b} $m"
#
my $r = ''; $r .= "[$1]" while 'k=v,x=y' =~ /(\w)=/g; my $n = 0; for (1 .. 2) { $n++ while 'aba' =~ /a/g } $r . $n
#
my %h = (b => 2); my $i = 1; my @e = (4); my @l = ($h{zz}, $i++, $h{b}, $h{b} = 3, $e[0], $e[1], $e[0] = 5); join ',', map({ defined $_ ? $_ : 'u' } @l), sort keys %h
# a hash in scalar context is the number of its keys; the last of equal keys counts
my %h = (a => 1, b => 2, a => 3); my %e; my $r = \%h; scalar(%h) . (0 + %h) . (%e ? 'y' : 'n') . $h{a} . scalar(%$r) . (%h . '')
# found by the generator: variables in texts, ranges, elements that are handed out
my ($x, @x, %x) = ('v'); @x = (7, 8); %x = (a => 9); "${x}[0] ${x}{a} ${x}->[0] @{x}[0,1] $x[0] $x{a}"
#
(join('|', '0' .. '03'), join('|', '00' .. '03'), join('|', 1e20 .. 0), eval { join('|', 0 .. 1e20) } // $@)
#
my (%h, @a); my @r; map { 1 } $h{m}; grep { 1 } @h{'g', 'n'}; for ($h{f}) { $_ = 'set' } for (@h{'s'}) {} map { 1 } $a[2]; sub f1 { 1 } f1($h{q}); f1(@h{'r'}); join ',', @h{'z'}; (join(',', sort keys %h), $h{f}, scalar @a)
#
my (%h, @a); sub f1 { $_[0] .= 'made'; } f1($h{a}); f1($a[1]); my $s = sub { $_[1] = 5 }; $s->(1, $h{b}); sub f2 { $_[0] } f2($h{c}); (join(',', map { "$_$h{$_}" } sort keys %h), scalar(@a), $a[1])
#
use List::Util qw(sum first); my @l = (1); my $s = sum(0, @l[0, 1]); my $f = first { 0 } @l[0, 2]; ($s, scalar @l)
#
my $u; my $n = @$u; my %g; my $m = %$u; (defined $n ? 1 : 0, defined $m ? 1 : 0, scalar(@{$u || []}), $g{x} // 'u')
#
my %h = ("1\x1c2" => 'two', 2 => 'one'); ($h{(1, 2)}, $h{((1, 2))}, $h{1, 2})
# what a later side changes
my ($x, $u) = (5, 5); sub f1 { $_[0]++; 'r' } my @l = ($x, f1($x)); my $k = 1; my $c = sub { $k++; $k }; my @m = ($k, $c->()); my @n = ($u, undef $u); ("@l", "@m", defined $n[0] ? 1 : 0, $k . $c->(), $k + $c->())
#
my $k = 5; my $c = sub { $k = 1; 3 }; (1 < $k < $c->() ? 'in' : 'out', 7 > $k >= $c->() ? 'in' : 'out')
# contexts
my @r; sub f1 { my @t = eval { wantarray }; push @r, $t[0]; my $t = eval { wantarray }; push @r, $t; eval { push @r, wantarray; 1 }; eval { return push @r, 'v' }; 1 } f1(); join '|', map { defined $_ ? $_ : 'u' } @r
#
(eval { my @l = (1 .. 3); $l[1e100] }, (1 .. 3)[1e100], join(',', (1 .. 5)[18446744073709551615, 0]), substr('abc', 1e100), defined(substr('abc', 18446744073709551615)) ? 1 : 0, 'ab' x 1e20, 'ab' x '1e100')
# numbers
(sprintf('%05d|%+08.2f|% 06d', -9**9**9, 9**9**9, 9**9**9), '-0' ** -1, (-0.0) ** 3, int('-9223372036854775809'), int(-9.3e18), int(1e19))
#
use List::Util qw(sum product); my $n = 9**9**9 / 9**9**9; (sum(9223372036854775807, 1), sum('5', 9223372036854775807), sum(1.5, 2), sum(-1, 9223372036854775807), product(3037000499, 3037000499), product(3037000500, 3037000500), product(3, '4'), List::Util::min($n, 1), List::Util::min(1, $n), List::Util::max($n, 1), List::Util::max(1, $n), List::Util::max(9223372036854775806, 9223372036854775807), List::Util::min(9223372036854775807, 9223372036854775806))
#
use Scalar::Util 'looks_like_number'; map { looks_like_number($_) ? 1 : 0 } !1, !0, '', '0 but true', undef, ' 5 ', 'inf'
#
(eval { chr('inf') } // $@ . '', eval { chr(18446744073709551615) } // $@ . '', ord chr(200))
#
map { defined $_ ? $_ : 'u' } scalar(gmtime(1e300)), scalar(gmtime('nan')), scalar(gmtime(4294967296)), scalar(gmtime(-0.5)), scalar(my @t = gmtime(9**9**9)), scalar(gmtime(18446744073709551615))
# patterns
my $p = $_; (map { my $p = $_; eval { 'a' =~ /$p/; 'fine' } // $@ } '+3', 'a**', 'a|*', '(?:*a)', 'a{2}{3}', 'x(+)', 'b)', '[b')
#
'abc' =~ /(b)|(z)/; my $m = scalar(@-) . scalar(@+); 'b' =~ /(a)|(b)/; my $n = scalar(@-) . scalar(@+); my @a = (1, 2); ($m, $n, 'x1 2' =~ @a ? "$&" : 'no', 'abc' !~ qr/z/, 'abc' !~ qr/b/, defined(undef =~ s/a/b/r) ? 1 : 0, 12 =~ s/x/y/r)
#
my @o; sub t { push @o, defined $1 ? $1 : 'u' } { 'q' =~ /(q)/; my $x = @{['b' =~ /(b)/]}; t() } { 'q' =~ /(q)/; my @x = grep /(.)/, 'z'; t() } { 'q' =~ /(q)/; 1 while ('b' =~ /(b)/ && !$o[2]++); t() } { 'q' =~ /(q)/; for my $e (@{['b' =~ /(b)/]}) {} t() } { 'q' =~ /(q)/; for my $e ('b' =~ /(b)/) {} t() } join '|', @o
#
grep(/o+/, 'foo'); my @r = ('q' =~ // ? 1 : 0); 'foo' =~ /o+/; push @r, 'q' =~ // ? 1 : 0; "@r"
#
abs((1, 2))
#
defined(&nosuch) . exists(&nosuch) . exists(&f1); sub f1 { 1 }
# literals are read-only, also as aliases
for my $e (1,2) {$e++} 1
#
sub f { $_[0]++ } f(1)
#
$_++ for 1,2; 1
#
map { $_++ } 1, 2
#
my @a = map { s/a/b/; $_ } 'abc', 'xa'; "@a"
#
my @l = map {$_++} 1..3; "@l"
#
$_++ for 1+2; 1
#
$_++ for -1; 1
#
$_++ for "abc"; 1
#
$_++ for qw(a b); 1
#
$_++ for undef; 1
#
$_++ for (1..3, 5); 1
#
sub f {$_[0]++} f(undef); 1
#
sub f {$_[0]++} f($x ? 1 : 2); 1
#
sub f {$_[0]++} f($x || 2); 1
#
"abc" =~ /(b)/; $_++ for $1; 1
#
sub f { $_[0] =~ s/b/c/; } "abc" =~ /(b)/; f($1); 1
#
for my $e ('a', 'b') { $e =~ s/z/b/ } 1
#
for my $e ('a', 'b') { $e =~ tr/z/b/ } 1
#
for my $e ('a', 'b') { $e =~ tr/a-z// } 1
#
for my $e ('a', 'b') { chomp $e } 1
#
for my $e ('a', 'b') { $e .= 'x' } 1
#
for my $e ('a', 'b') { $e ||= 'x' } 1
#
for my $e ('a', 'b') { $e &&= 'x' } 1
#
for my $e ('a', 'b') { ($e) = (1) } 1
#
for my $e ('a', 'b') { my $r = \$e; $$r = 5 } 1
#
for my $e ('a', 'b') { for my $f ($e) { $f = 3 } } 1
#
my $r = \5; $$r = 6; 1
#
for ('a') { undef $_ } 1
#
for ('a') { substr($_, 0, 1) = 'b' } 1
#
for ('a') { substr($_, 0, 1, 'b') } 1
#
for ('a') { local $_ = 5; } 1
#
for ('a') { for (@{[1]}) { $_ = 4 } } 1
#
use List::Util 'first'; first { $_++ } 1, 2;
#
grep { $_++ } 1, 2;
#
for (time) { $_++ } 1
#
for ("a$x") { $_++ } 1
#
for ('a' => -w => b) { $_++ } 1
#
my @x = map { chop; $_ } 'ab', 'cd'; @x
#
for my $e ($x, 1) { $e = 4 } $x
#
my $j; for $j (1, 2) { $j = 5 } 1
#
our $g; for $g (1, 2) { $g = 5 } 1
#
for my $e (1) { my $s = sub { $e = 2 }; $s->() } 1
#
sub f { my ($p) = @_; $p++; $p } f(1) . f(2)
#
sub f { my $p = shift; $p .= 'x'; $p } join ',', map { f($_) } 'a', 'b'
#
sub f { @_ = (5, 6); $_[0]++; "@_" } f(1, 2)
#
sub f { push @_, 3; $_[-1]++; "@_" } f(1, 2)
#
sub f { $_++ for @_; "@_" } f(1, 2)
#
sub f { my @c = @_; $_++ for @c; "@c" } f(1, 2)
#
my @a = (1, 2); $_++ for @a; "@a"
#
my %h = (a => 1); $_++ for values %h; $h{a}
#
for (my @c = (1, 2)) { $_++ } 1
#
for my $e (my $x = 5) { $e++ } 1
#
for my $e ([1, 2], 'a') { last unless ref $e; $e->[0]++ } 1
#
for my $e (1) { ($e += 2) *= 3 } 1
#
eval { for my $e (1) { $e = 2 } }; $@
#
for my $w (qw(x y)) { $w = uc $w; } 1
#
use List::Util 'reduce'; reduce { $b++ } 1, 2, 3;
#
for my $x (1,2) { for my $y ($x, 3) { $z .= $y } } $z
#
foreach (__LINE__, time) { $k .= $_ if 0 } 1
#
sub f { $_[0] = 'm'; 1 } my $x = 1; f($x); my @l = (1); f(@l); f($l[0]); f("$x"); f($x . ''); f(f($x)); "$x@l"
#
while (my $x = shift @{[0]}) { } 1
#
sub f { undef $_[0] } f(5)
#
for (1) { ($_, my $y) = (1, 2) } 1
#
for (1) { my $x = \$_; $$x++ } 1
#
my $x = "- "; $x++; my $y = "- "; $y--; my $z = "-"; $z++; ($x, $y, $z, -"- ", -"+ ", "- " .. "- ", "- "+1, "- " * 2.5, "- " | 1)
#
use Scalar::Util 'looks_like_number'; (looks_like_number("- ") ? 1 : 0, looks_like_number("+  ") ? 1 : 0, looks_like_number(" - ") ? 1:0, looks_like_number("-") ? 1:0, looks_like_number("  ") ? 1:0, looks_like_number("- 1") ? 1 :0)
#
0x1.8p3 . ' ' . 0xap0 . ' ' . 0x.8p1 . ' ' . 0b1.1p1 . ' ' . 0x1p-2 . ' ' . 01.4p0 . ' ' . 0x1.ffp+2
#
0xa.5
#
0x1..3
#
sub f { $_[0] . $_[0]++ } my $x = 4; f($x)
# what random programs found on the way to two million
my @r; for my $p ('^b|$', '^|b', '(^)|$', 'a\n^', '(a\n^|a)', '^\s*|x', '(?:^|,)(\w*)') { for my $s ('', "\n", "a\n", "a\nb\n", 'b', "x,a\n") { my @m = $s =~ /$p/mg; push @r, join('|', map { $_ // 'u' } @m); (my $t = $s) =~ s/$p/<>/mg; push @r, $t } } @r
#
my @r; for my $s ('', "\n", "a\n", "a\nb\n", 'b') { push @r, join('|', $s =~ /^|$/mg); push @r, $s =~ /\n^/m ? 1 : 0; push @r, $s =~ /^$/m ? $-[0] : 'n'; } @r
#
eval { 0 !~ @$x } or $@
#
eval { 0 =~ @$x } or $@
#
my $r; my $n = eval { 5 + @$r }; ($n, $@)
#
my $r; my $n = eval { "a" . @$r }; ($n, $@)
#
my $r; my $n = eval { scalar(@$r) }; ($n, $@)
#
my $r; my $n = eval { ("a" =~ /b/) =~ @$r }; ($n, $@)
#
my $y = 1; $y =~ s/\w//; { 0 !~ $q } $&
#
my $y = 1; $y =~ s/\w//; { my $k; 0 =~ $q } $&
#
'abc' =~ /(\w)$/; { 'xy' =~ // } "$1$&"
#
sub f { my $n = shift; "$n" =~ /(\d)/; f($n - 1) if $n; $1 } f(3)
#
sub f { my $n = shift; "$n" =~ /(\d)/ or return; my $r = $n ? f($n - 1) : ''; "$1$r" } f(3)
#
for my $i (1, 2) { if ("$i" =~ /(\d)/) { if ($i == 1) { for my $j (5) { "$j" =~ /(\d)/; } push @r, $1 } } } "@r"
#
sub g { "$_[0]" =~ /(\w)/; $1 } 'q' =~ /(\w)/; my $x = g('z'); "$1$x"
#
sub g { $_[0] =~ /(\w)/; g('y') if $_[0] eq 'z'; $1 } 'q' =~ /(\w)/; my $x = g('z'); "$1$x"
#
(local $_ = 5) + ($m = 1)
#
(local $_ = 5) . ($_ = 7)
#
map ''
#
grep ''
#
my @x = map lc; "@x"
#
eval{map{0}$r||$q[-1]}or 0
#
eval{for ($r||$q[-1]) { 0 } 1}or $@
#
eval{for ($r||$h{x}) { 0 } 1}; join ',', keys %h
#
eval{for ($r//$q[3]) { 0 } 1}; scalar @q
#
eval{for ($r ? 1 : $q[3]) { 0 } 1}; scalar @q
#
sub f{} eval{f($r//$q[3]); 1}; scalar @q
#
-"- "
#
my $y = "0-"; -(substr("\U$y\E$y", -3, 2))
#
-(substr("- -", 0, 2))
#
my $x = "- -"; -(substr($x, 0, 2))
#
my $y = '0'; my @l = ("x"); my $v = (scalar(grep /q/, @l) || -(substr("\U$y\E$y", -3, 2))); $v
#
my $t = "5- "; my $n = $t + 0; (-$t, -"-5x", -"-5", -"+5", -" -5", -"-5 ", -"-inf", -"-")
#
0x1.8p3
#
my $x=3; do { while($x--){} }
#
sub g{my $x=3; while($x--){}} ("<".g().">", g())
#
my $x = 5; until ($x-- < 1) {}
#
while (0) {}
#
my @a=(1); while (@a) { pop @a }
#
sub f{1..3} (f(), 5)
#
'a' .. 'c'
#
sub f { my $n = shift; $n ? 1 .. $n : 0 } (f(3), f(0))
#
sub f{while(1){last}} ('<', f(), scalar(f()), '>')
#
sub f{my $x = 2; while($x--){last if $x}} ('<', f(), scalar(f()), '>')
#
sub f{for(1,2){last}} ('<', f(), scalar(f()), '>')
#
sub f{for(1,2){for(3){last}}} ('<', f(), scalar(f()), '>')
#
sub f{for(1,2){ 7 }} ('<', f(), scalar(f()), '>')
#
sub f{my $x=1; while($x && $x--){}} ('<', f(), scalar(f()), '>')
#
my $x=1; while($x--){ 5 } continue { 6 }
#
for (my $i = 3; $i--; ) {}
#
my $i = 3; $i-- while $i
#
my $i = 3; $i-- until !$i
#
my $i = 3; do { $i-- } while $i
# arguments of sprintf, references that a later side changes, split in parentheses
my $z; $y=',';$z=()=(split/,/,$y)
#
my ($a1, @m) = (split /,/, 'a,b,,'); scalar(@m)
#
my $n = (my ($p, $q) = (split /,/, 'a,b,c,d,,')); $n
#
$rs=\$z;$$rs>=($z=5)
#
my $z = 1; my $rs=\$z; ($$rs + ($z = 5), $$rs . $z++, $$rs < ++$z, $$rs == ($z += 1), "$$rs$z")
#
my $z = 1; my $r = \$z; my @l = ($$r, $z++, $$r); "@l"
#
my $q; my @l = ($$q, my $t = 1); defined $q ? 1 : 0
#
my $z = 2; my $r = [\$z]; ${$r->[0]} * ($z = 7)
#
my @l; my $z = sprintf("%o", $l[0], (push @l, 4)); ($z, "@l")
#
my @m; my $w = sprintf("%s-%s", $m[0], push(@m, 7)); ($w, "@m")
#
my %h; (sprintf("%s", $h{a}, ($h{a}=5)), %h)
#
my @e; sprintf("%s", $e[3]); scalar @e
#
my @p; join("-", $p[0], push(@p, 7))
#
my @p = (1); sprintf("%s %s", $p[-1], push(@p, 7))
#
my @p = (1, 2); sprintf("%s %s %s", $p[1], shift @p, "@p")
#
($], $] > 5, $] + 0, $|, "$|")
#
sub f1 { @_ } sub f2 { 'v' } (defined(&f2(1) . ''), defined(&f2), defined &f2, defined(&nosuch), defined(&f2(1)) ? 1 : 0, exists(&f2))
#
sub f2 { my @l = (3, 1); return (sort(@l)) } (scalar(f2()), f2())
#
sub f2 { my @l = (3, 1); sort { $x++; $a <=> $b } @l } (scalar(f2()), $x)
#
my @x = map { lc($_) => 1 } map { uc($_), 2 } 'a', 'b'; "@x"
# sort and reverse of an array into itself, slices and xor that see what the right side does
my $x = 0; my $v = ($x xor ($x = 5)); my $w = ($x xor ($x = 0)); my @l = (1); my $u = ($l[0] xor $l[0]--); ($v, $w, $u)
#
my @p; my $r = eval { for my $e (5 and $p[-1]) { } 1 } // $@; my $s = eval { for my $e (($x = 5) and $p[-1]) { } 1 } // $@; my $t = eval { for my $e ((1 == 2) || $p[2]) { } 1 } // $@; my $u = eval { for my $e (!1 // $p[4], 0 || $p[5]) { } 1 } // $@; ($r, $s, $t, $u, scalar @p)
#
my @p; map { 1 } (1 && $p[2]), ($x && $p[3]); scalar @p
#
my ($x, $y) = (1, 'a'); my @r = (($x, $y)[1] lt ($y .= 'k'), ($x, $y)[0] + $x++, (($x, $y)[1]) . ($y = 'q'), ($x, $y)[7] . $x++); @r
#
my ($x, $y) = (1, 2); my @l = (($x, $y)[1, 0], $y++, $x++); my @m = ((5, 6)[1], my $t = 3); ("@l", "@m")
#
my @l; $l[2] = 0; $l[0] = 'b'; my @m = sort @l; @l = sort @l; (scalar(@m), scalar(@l), "@l")
#
my @l; $l[2] = 5; $l[0] = 7; @l = (sort { $a <=> $b } @l); "@l"
#
our @l; $l[2] = 5; @l = sort(@l); my $n = () = (@l = sort @l); ("@l", $n)
#
my @l; $l[2] = 5; my $n = (@l = sort @l); my @k = (@l = reverse sort @l); ($n, scalar(@l), scalar(@k))
#
my @l; $l[2] = 5; @l = sort @l if 1; scalar @l
#
my @l; $l[1] = 5; for (1) { @l = sort @l } scalar @l
#
sub f { @l = sort @l } $l[1] = 5; f(); scalar @l
#
my @l; $l[2] = 5; @l = reverse @l; (exists $l[0] ? 1 : 0, exists $l[1] ? 1 : 0, scalar @l)
# what a turn of a loop sees of the matches of the turn before
my @r; my $i = 0; while ($i++ < 2) { my $z = 1; 'a1' =~ /\d/ if $i == 1; push @r, $& // 'u' } continue { push @r, $& // 'u' } @r
#
my @r; my $i = 0; while ($i++ < 2) { 'a1' =~ /\d/ if $i == 1; push @r, $& // 'u' } continue { push @r, $& // 'u' } @r
#
my @r; for (my $i = 0; $i < 2; $i++) { 'a1' =~ /\d/ if $i == 0; push @r, $& // 'u' } (@r, $& // 'u')
#
my @r; for (my $i = 0; $i < 2; $i++) { my $z = 1; 'a1' =~ /\d/ if $i == 0; push @r, $& // 'u' } (@r, $& // 'u')
#
my @r; my $i = 0; do { 'a1' =~ /\d/ if $i == 0; push @r, $& // 'u' } while ($i++ < 1); (@r, $& // 'u')
#
my @r; my $i = 0; do { my $z = 1; 'a1' =~ /\d/ if $i == 0; push @r, $& // 'u' } while ($i++ < 1); (@r, $& // 'u')
#
my @r; if (1) { 'a1' =~ /\d/; push @r, $& } (@r, $& // 'u')
#
my @r; if (1) { my $z; 'a1' =~ /\d/; push @r, $& } (@r, $& // 'u')
#
my @r; { 'a1' =~ /\d/; push @r, $& } (@r, $& // 'u')
#
my @r; my $x = do { 'a1' =~ /\d/; 5 }; (@r, $& // 'u')
#
my @r; my $x = do { my $z; 'a1' =~ /\d/; 5 }; (@r, $& // 'u')
#
my @r; my $x = eval { 'a1' =~ /\d/; 5 }; (@r, $& // 'u')
#
my @r; unless (0) { 'a1' =~ /\d/ } else { } (@r, $& // 'u')
#
my @r; for my $e (1,2) { if ($e == 1) { 'a1' =~ /\d/ } push @r, $& // 'u' } @r
#
my @r; my $i = 0; while ($i < 3 && "a$i" =~ /\d/) { push @r, $& // 'u'; $i++ } (@r, $& // 'u')
#
my @r; my $i = 0; while ($i < 3 && "a$i" =~ /\d/) { my $z; push @r, $& // 'u'; $i++; 'b' =~ /b/ } (@r, $& // 'u')
#
my @r; 'z' =~ /z/; for my $e (1,2) { push @r, $&; next if $e == 1 && 'a1' =~ /\d/; push @r, $& // 'u' } (@r, $&)
#
my @r; 'z' =~ /z/; for my $e (1,2) { my $q; push @r, $&; next if $e == 1 && 'a1' =~ /\d/; push @r, $& // 'u' } (@r, $&)
#
my @r; 'z' =~ /z/; map { push @r, $&; 'a1' =~ /\d/ if $_ == 1; push @r, $& // 'u' } 1, 2; (@r, $&)
#
my @r; 'z' =~ /z/; map { my $q; push @r, $&; 'a1' =~ /\d/ if $_ == 1; push @r, $& // 'u' } 1, 2; (@r, $&)
#
my @r; 'z' =~ /z/; my @g = grep { push @r, $&; 'a1' =~ /\d/ if $_ == 1; push @r, $& // 'u' } 1, 2; (@r, $&)
#
my @r; 'z' =~ /z/; push(@r, $&), $_ == 1 && 'a1' =~ /\d/ for 1, 2; (@r, $&)
#
my @r; 'z' =~ /z/; my $i = 0; push(@r, $&), $i == 1 && 'a1' =~ /\d/ while $i++ < 2; (@r, $&)
#
my @r; 'z' =~ /z/; OUT: for my $e (1, 2) { for my $f (1, 2) { push @r, $&; next OUT if 'a1' =~ /\d/ } } (@r, $&)
#
my @r; 'z' =~ /z/; for my $e (1, 2) { push @r, $&; 'a1' =~ /\d/ } continue { push @r, $& } (@r, $&)
#
my @r; 'z' =~ /z/; for my $e (1, 2) { my $q; push @r, $&; 'a1' =~ /\d/ } continue { push @r, $&; 'b' =~ /b/ } (@r, $&)
#
my @r; 'z' =~ /z/; for (1, 2) { push @r, $&; 'a1' =~ /\d/ } continue { push @r, $&; 'b' =~ /b/ } (@r, $&)
#
my @r; for my $e (1,2) { 'a1' =~ /\d/ if $e == 1; push @r, $& // 'u' } @r
#
my @r; for my $e (1,2) { my $z; 'a1' =~ /\d/ if $e == 1; push @r, $& // 'u' } @r
#
my @r; for (1,2) { 'a1' =~ /\d/ if $_ == 1; push @r, $& // 'u' } @r
#
my @r; for (1,2) { my $z = 1; 'a1' =~ /\d/ if $_ == 1; push @r, $& // 'u' } @r
#
my @r; my $i = 0; while ($i++ < 2) { 'a1' =~ /\d/ if $i == 1; push @r, $& // 'u' } @r
#
my @r; my $i = 0; while ($i++ < 2) { my $z = 1; 'a1' =~ /\d/ if $i == 1; push @r, $& // 'u' } @r
#
my @r; for my $e (1,2) { if ($e == 1 and 'a1' =~ /\d/) { } push @r, $& // 'u' } @r
#
my @r; my $i = 0; until ($i++ > 1) { 'a1' =~ /\d/ if $i == 1; push @r, $& // 'u' } (@r, $& // 'u')
#
my @r; for my $e (1,2) { for my $f (1, 2) { 'a1' =~ /\d/ if $f == 1 && $e == 1; push @r, $& // 'u' } push @r, $& // 'u' } @r
#
my @r; 'z' =~ /z/; for my $e (1, 2) { for our $f (1, 2) { push @r, $&; 'a1' =~ /\d/ } push @r, $& } (@r, $&)
#
my $ra = [1, 2, 3]; my $v = sprintf('%x', $#$ra, pop(@$ra)); my $w = sprintf('%x %s', $#{$ra}, shift(@$ra)); ($v, $w)
#
my @l = (1, 2, 3); sub f { "@_" } (f($#l, pop @l), f($#l, (shift @l), $#l), f($#l))
#
my @l = (1, 2, 3); sub f { my ($p, $q) = @_; $p . $q } f($#l, push(@l, 5)) . f($#l, 1)
#
my @l = (1, 2, 3); (join('-', $#l, pop @l), "$#l" . pop(@l), $#l + push(@l, 1, 2), [$#l, pop @l]->[0])
# whole floats at the end of the range in which they add as integers
my $x = -9.2233720368547758e18 / 2; my $y = 0.5 - 0.5; my $z = $x / 2 - 0.5; ($y - $x, $y + $x, $x - $x, $x + $x, $x + $z, -$x + $z, $y + -$x, $y - -$x)
#
('zz' + 'died') - (~int(' 5 ') / -4)
# a dollar sign that is met with and without its line end
my $y = "A\t\n"; $y =~ s/(?:[-a]|[A-Z]{1,2})|[\s\w]*?$/<$&>/g; $y
#
join '|', "ab\n" =~ /\s*?$/g
#
join '|', "a\n\n" =~ /(\s*?)$/g
#
(my $s = "x\n") =~ s/\n??$/-/g; $s
# the truth of a comparison is a float, too
my $f = 5.76460752303424e+16 + 0.0; my $t = 18446744073709551614 / "320"; ($t - !1, $t + !0, $t - (1 == 1), $t + (1 == 2), $t + 1, $t - 0, (my $y = (2 > 1)) + $t, !1 - $t, !0 + !0, !1 + 0.5, !0 + 1e16)
#
my $x = (1 == 1); my $t = (~0) / 9; ($t + $x, $t + 1, $x++, $t + $x, "$x", $t - (('a' eq 'b') . ''))
#
my $ra = [1, 2, 3]; (sprintf('%#o', +($#$ra), substr(pop(@$ra), 0, 0)), sprintf('%s', ($#{$ra}), pop @$ra))
#
my $x = (1 == 1); $x++; $x++; my $y = 'a'; $x += $y -= 1; $x
#
my $x = (1 == 1); for (1 .. 3) { $x++ } my $f = (~0) / 9; my $z = !0; $z--; my $w = !1; $w++; ($x + $f, $x + 0.0, $z + $f, $w + $f, $x)
#
map { sprintf '%+.1e', $_ } '-0x1', ' -0x1', '-0abc', ' -0abc', '-0', ' -0', '-0 ', '-0.0x', '-00x', '-0x', '-0b1'
# a concatenation of three items and more works out all of them, which are variables, and joins them then
my $x = 5; my $y = '00'; $y .= (length('a') . $x) . (($x = 4) ? 7 : 3); $y
#
my $x = 5; my $z = 7; $x . $z . ($z = 4) . $x . ($x = 9)
#
my $x = 5; my $y = ($x .= 'a') . ($x .= 'b') . ($x .= 'c'); my $z = ++$x . ++$x . $x--; "$y $z"
#
my $x = 5; "$x-$x@{[ $x = 4 ]}@{[ $x = 3 ]}-$x"
#
my @l = (5); my $y = 1; $y .= "$l[0]@{[ $l[0] = 4 ]}b${\($l[0] = 'c')}"; $y
#
my $x = 5; my $y = "a$x" . ($x = 4) . 'b'; $y
#
my $x = 5; sub change { $x = 4; 7 } 'a' . $x . ' ' . change()
#
"abc" =~ /(b)/; my $r = $1 . 'c' . ("zzz" =~ /(z)/); "abc" =~ /(b)/; my $q = $1 . ("zzz" =~ /(z)/); "$r $q"
#
"abc" =~ /(b)/; "$1 @{['xyz' =~ /(z)/]}"
# do around one variable is the variable
my $x = 5; my $y = do { $x } + ($x = 4); my @l = (do { $x }, ($x = 40)); "$y @l"
#
my $x = 5; my $y = do { my $z = $x } + ($x = 4); my $z = do { $x++ } + ($x = 40); "$y $z"
# an element before the first is none, whatever comes after it
my @l; my $i = -1; sprintf('%s,%s', $l[$i], (push @l, 5))
#
my @l = (1); sprintf('%s %s', $l[-2], $l[-1], (unshift @l, 5))
# ++ makes an integer of a whole float up to 2**53, -- does not
my $x = 2**60; $x++; my $y = 1e18; $y--; my $z = 3e15 / 1; $z--; my $u = 3e15 / 1; $u++; "$x $y $z $u"
#
my $z = 9007199254740993.0; $z--; my $u = 1 == 1; $u--; my $v = 1 != 1; $v--; "$z $u $v"
# ref of what is no reference is the false of a comparison
my $x = ~5; my $r = \$x; $$r -= ref(1); my $y = ref(1) ^ 'abc'; ("$x", $y, ~ref(1), length ref 1)
# '-0' has no sign where it is divided as an integer
sprintf('%g %g %g %g', '-0' / 4, '-0' / '4', '-0' / 4.5, -0.0 / 4)
# a range that runs backwards is shown
my @e; for my $p ('[]-300', '[abz-ac', '[\n-\t]', '[a-z\x41-\x31]', '[[:^foo:]]') { eval { 'x' =~ /$p/ }; push @e, $@ } "@e"
# blanks may stand behind a text that is infinite or no number
my @e = map { -$_ } "-Inf ", "-inf\n", "-infinity ", "-nan ", "-infx"; "@e"
