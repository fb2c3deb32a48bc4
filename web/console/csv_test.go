package console

import "testing"

func TestNoCellOfAFileIsAFormula(t *testing.T) {
	t.Parallel()
	for _, cell := range []string{
		"=cmd|'/C calc'!A0", "=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠SUM(1)", `=HYPERLINK("https://evil.example.com")`,
	} {
		if got := harmless(cell); got != "'"+cell {
			t.Errorf("%q became %q", cell, got)
		}
	}
	for _, cell := range []string{"", "ann@example.com", "1-1", "a=b", " x", "é", "\xff"} {
		if got := harmless(cell); got != cell {
			t.Errorf("%q became %q", cell, got)
		}
	}
}
