package perl

import (
	"strings"
	"testing"
	"time"
)

func TestBlockEnd(t *testing.T) {
	for _, body := range []string{
		``, ` migrate(); `, ` if (1) { migrate() } else { report() } `,
		` my $s = "}"; my $t = '{'; my $u = "a}b" =~ /}/ ? 1 : 0; my $v = q({}); # }
($s) `,
		` my $h = $x{y}{"}"} / 2; my $z = $w[0] / 3; # }/
 `,
		` my @f = split /}/, $x; `, ` s/}/{/g; tr/}/{/; m{a{2}}; qw(} {); `,
		` my $x = 10 / 2; my $y = $x / 5; }`[:len(` my $x = 10 / 2; my $y = $x / 5; `)],
		` my $t = <<"T" . "end";
} not the end
T
 migrate(); `,
		"\n=pod\n\n}\n\n=cut\n\n migrate(); ",
		` if ((average(res('cpu',5)) > 0.70) { migrate(); } `, // the manual's own, one ) short
		` if ( $hour >= 0800 && && ) { migrate(); } `,
		` my %h = (a => {b => 1}); $h{a}{b} `, ` "@{[ map { $_ } 1..3 ]}" `, " y => 1; $h{s}; $h{y}/2/1; ",
		` if (1 > 0) { $x =~ m/}/ } $a = $b / $c; `,
		` my $s=1; my $y=2; my $m=3; my $q=4; my $tr=5; my $qw=6; my @y=(1); my %s=(a=>1); our $y=1; my($m)=1; foreach $y (1) {} `,
		` my @a = res 'c}pu', 2; migrate if average "}" , 2; average $s{x}, @y; `,
	} {
		src := "x {" + body + "} } trailing"
		got, err := BlockEnd([]byte(src), 2)
		if want := 3 + len(body); err != nil || got != want {
			t.Errorf("%q: end %d, %v; want %d", body, got, err, want)
		}
	}
	for _, bad := range []string{"{ migrate();", `{ "}`, "{ if (1) { }"} {
		if end, err := BlockEnd([]byte(bad), 0); err == nil {
			t.Errorf("%q: found an end at %d", bad, end)
		}
	}
	if _, err := BlockEnd([]byte("x"), 0); err == nil {
		t.Error("no brace, no error")
	}
	end, err := BlockEnd([]byte("{ $x\n__END__\nthis } is ignored\n}\n"), 0)
	if err != nil || end != strings.LastIndex("{ $x\n__END__\nthis } is ignored\n}\n", "}") {
		t.Errorf("__END__: %d %v", end, err)
	}
}

// TestBlockEndLimit: a block is as long as an algorithm may be, and what lies behind it is not read.
func TestBlockEndLimit(t *testing.T) {
	longest := "{" + strings.Repeat("1;\n", maxSource/3) + strings.Repeat(" ", maxSource%3) + "}"
	for _, behind := range []string{"", " more { \" }"} {
		if end, err := BlockEnd([]byte("x "+longest+behind), 2); err != nil || end != len(longest)+1 {
			t.Errorf("end %d, %v; want %d", end, err, len(longest)+1)
		}
	}
	const want = "the { in line 1 is not closed within 262144 bytes, the most that an algorithm may have"
	for _, src := range []string{"{ " + longest[1:], "{ if (1) {" + strings.Repeat("\n", maxSource) + "} }"} {
		if end, err := BlockEnd([]byte(src), 0); err == nil || end != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("end %d, %v", end, err)
		}
	}
	begun := processorTime(t)
	if _, err := BlockEnd([]byte(strings.Repeat("{ x <", 2<<20)), 0); err == nil || processorTime(t)-begun > 20*time.Second {
		t.Errorf("%v after %v", err, processorTime(t)-begun)
	}
}
