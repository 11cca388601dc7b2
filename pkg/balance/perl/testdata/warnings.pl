# undefined operands
my $u; my $x = $u + 1; $x = 1 - $u; $x = $u . "a"; $x = "a$u"; $x = $u x 2; $x = -$u; $x = $u ** 2; $x = $u % 2; $x = ~$u; $x = $u << 1; $x = $u & 1; $x=$u*2; $x=$u/2; $x = $u | 1; $x = 5 ^ $u; $x = 8 >> $u
#
my $u; my $x = $u == 1; $x = $u <=> 1; $x = $u lt "a"; $x = $u cmp "a"; $x = $u != 1; $x = $u >= 1; $x = $u ne "a"; $x = $u eq "b"; $x = $u > 1; $x = $u < 1; $x = $u <= 1; $x = $u gt "a"; $x = $u le "a"; $x = $u ge "a"; if ($u < 1) { $x = 1 } $x = 1 if $u eq 'x'; $x = 2 unless 1 > $u
#
my (@a, %h); my $i = 3; my $k = "q"; my $x = $a[0] + 1; $x = $h{k} + 1; $x = $a[$i] + 1; $x = $h{$k} . "z"; $x = $a[-1] + 1; our $g; $x = $g + 1; $x = "$a[1]"
#
my $r = {}; my $b = [1]; my $x = $r->{z} + 1; $x = $$r{z} + 1; $x = $b->[3] + 1; $x = $r->{a}{b} + 1
#
my $u; my $x = length $u; $x = lc $u; $x = uc $u; $x = int $u; $x = abs $u; $x = sqrt $u; $x = join ",", $u, $u; $x = substr $u, 0, 1; $x = index $u, "a"; $x = ord $u; $x = chr $u; $x = hex $u; $x = oct $u; $x = ucfirst $u; $x = quotemeta $u; $x= atan2($u,1); $x = sin $u; $x = exp $u; $x = defined $u; $x = ref $u
#
my $u; my $x = sprintf "%s %d", $u, $u
#
my $u; my @a = (1); my %h; my $x = $a[$u]; $x = $h{$u}; $x = "a" =~ /$u/; $x = $u =~ /a/; ($x = $u) =~ s/a/b/; my @s = split /,/, $u; my @r = 1..$u
#
my $x; my $u; my @a; push @a, $u; $x = $u ? 1 : 2; $x = !$u; $x = $u && 1; $x++; my $v; $v++; my $w; $w += 1; my $y; $y .= "a"; my $z; $z -= 1; my $q; $q *= 2; my $p; $p x= 2; my $o; $o **= 2; my $n; $n |= 1; my $m; $m /= 2; $m = undef; $m %= 2; my $e; $e &&= 1; $e ||= 0; my $c; $c = $c // 4; my $d = 1; $d += $u; $d .= $u
#
my ($s, $t); my $x = $s + $t; $x = $s . $t; $x = "$s$t"; $x = $s == $t; $x = $s lt $t; $x = $s * $t; $x = $s - $t; $x = "$s"; $x = "$1"; $x = $1 + 1; $x = $& . "a"
#
my $x; sub g1 { return $_[0] + 1 } g1(undef); for my $v (undef) { $x = $v + 1 } sub f2 { undef } $x = f2() + 1; $x = undef() . "a"; my @aa = map { $_ + 1 } undef; my @e; $x = "@e[0,1]"
#
my $n = 5; my $x = $n + 1; my $s = "a" . $n; my @l = (1, 2); my $t = "@l $s"; $x == 6 and $s eq 'a5'; sprintf('%d %s', 1, 'a')
# arguments that are no numbers
my $y; { my $x = "3x"; $y = $x + 1 } { my $x = "4x"; $y = $x * 2 } { my $x = "5x"; $y = $x == 1 } { my $x = "6x"; $y = $x <=> 1 } { my $x = "7x"; $y = $x & 2 } { my $x = "8x"; $y = $x % 2 } { my $x = "9x"; $y = $x ** 2 } { my $x = "10x"; $y = $x - 1 } { my $x = "11x"; $y = $x / 2 } { my $x = "12x"; $y = $x < 1 } { my $x = "13x"; $y = $x >= 1 } { my $x = "14x"; $y = $x != 1 } { my $x = "15x"; $y = $x << 1 } { my $x = "16x"; $y = $x | 1 } { my $x = "17x"; $y = $x x 2 } { my $x = "4x"; $y = int $x } { my $x = "5x"; $y = -$x; } { my $x = "6x"; $y = abs $x } { my $x = ""; $y = 1 + $x } { my $x = "7x"; $y = sqrt $x } { my $x = "long"; $y = 1 + $x x 30 }
#
my ($y, $s); $s = "foo"; $s++; $s = "a-b"; $s++; $s = "q"; $s += 1; for my $x ("1_000", "0 but true", "inf", " 12 ", "12 z", "a\\b", "a\x01b\x80\n") { $y = $x + 1 } { my $x = "2y"; $y = "x" x $x } { my $x = "65x"; $y = chr $x } { my $x = "1x"; $y = substr("abc", $x) } { my @a = (1); my $x = "0x"; $y = $a[$x] } { my $x = "8x"; $y = sprintf "%d", $x }
# other run-time warnings
my %h = (1); my %g = ({}); my $h = {1,2,3}
#
my $x = substr("abc", 5); my @a = (1, 2); splice @a, 5, 1; $x = sprintf "%d"; $x = sprintf "%d", 1, 2; $x = sprintf "%z"; $x = "a" x -1; $x = oct "8"; $x = oct "0b12"; $x = hex "xyz"
#
sub f3 { my $n = shift; f3($n - 1) if $n } f3(150)
#
sub f4 { next if $_[0] == 2; 1 } for my $i (1 .. 3) { f4($i) }
#
sub f5 { last } for my $i (1 .. 3) { f5($i) }
