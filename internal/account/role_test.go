package account_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/internal/account"
)

func TestARoleMayDoAllThatLesserRolesMay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		role, least account.Role
		may         bool
	}{
		{account.Viewer, account.Viewer, true}, {account.Viewer, account.Editor, false}, {account.Viewer, account.Admin, false},
		{account.Editor, account.Viewer, true}, {account.Editor, account.Editor, true}, {account.Editor, account.Admin, false},
		{account.Admin, account.Viewer, true}, {account.Admin, account.Editor, true}, {account.Admin, account.Admin, true},
		{"", account.Viewer, false}, {"root", account.Viewer, false}, {account.Admin, "", false},
	} {
		if got := test.role.Allows(test.least); got != test.may {
			t.Errorf("%q for what needs %q: %v", test.role, test.least, got)
		}
	}
}
