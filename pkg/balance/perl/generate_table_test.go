package perl

import (
	"fmt"
	"io"
	"sort"
)

// missing lists what was reached less than least times.
func (r *reach) missing(cells []cell, least int) []string {
	var out []string
	for k := nConst; k <= nSub; k++ {
		if r.kinds[k] < least {
			out = append(out, fmt.Sprintf("node kind %d: %d times", k, r.kinds[k]))
		}
	}
	for _, c := range cells {
		if n := r.table(c.op.name)[c.left][c.right]; n < least {
			out = append(out, fmt.Sprintf("%s: %s %s: %d times", c.op.name, c.left, c.right, n))
		}
	}
	return out
}

// print writes the table: for each operator and each type on its left the smallest count over the types on its right.
func (r *reach) print(w io.Writer, cells []cell) {
	fmt.Fprintf(w, "node kinds (number of nodes in the programs):\n")
	for k := nConst; k <= nSub; k++ {
		fmt.Fprintf(w, "  %2d %9d", k, r.kinds[k])
		if k%6 == 5 {
			fmt.Fprintln(w)
		}
	}
	var names []string
	for f := range r.funcs {
		names = append(names, f)
	}
	sort.Strings(names)
	fmt.Fprintf(w, "\nfunctions:\n")
	for i, f := range names {
		fmt.Fprintf(w, "  %s %d", f, r.funcs[f])
		if i%8 == 7 {
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintf(w, "\noperators: times worked out, by the type of the left operand; where there are two, of the rarest type on the right\n%-8s", "")
	for t := typeInt; t < operandTypes; t++ {
		fmt.Fprintf(w, "%9s", t)
	}
	fmt.Fprintln(w)
	var ops []string
	rows := map[string]map[operandType]int{}
	for _, c := range cells {
		row := rows[c.op.name]
		if row == nil {
			row = map[operandType]int{}
			rows[c.op.name] = row
			ops = append(ops, c.op.name)
		}
		n := r.table(c.op.name)[c.left][c.right]
		if old, ok := row[c.left]; !ok || n < old {
			row[c.left] = n
		}
	}
	sort.Strings(ops)
	for _, op := range ops {
		fmt.Fprintf(w, "%-8s", op)
		for t := typeInt; t < operandTypes; t++ {
			if n, ok := rows[op][t]; ok {
				fmt.Fprintf(w, "%9d", n)
			} else {
				fmt.Fprintf(w, "%9s", "")
			}
		}
		fmt.Fprintln(w)
	}
}
