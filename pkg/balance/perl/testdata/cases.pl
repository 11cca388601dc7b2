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
