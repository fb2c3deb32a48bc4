package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/outbox"
)

// User is a person who may use the console.
type User struct {
	ID string
	// Email is in lower case; it is what the person signs in with, and their name in histories.
	Email string
	Name  string
	Role  Role
	// Active people may sign in.
	Active bool
	// PasswordHash is empty for someone who has not set a password.
	PasswordHash string
	// Identity is "issuer subject" of someone who signs in by OpenID Connect; otherwise empty.
	Identity string
	// Stamp moves when every session of this person ends: with a new password and with a deactivation.
	Stamp        int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
	LastSignInAt *time.Time
}

// TableName is fixed by the migrations.
func (User) TableName() string { return "notify_users" }

// Invited says that the person has no way to sign in yet.
func (u *User) Invited() bool { return u.PasswordHash == "" && u.Identity == "" }

// What can be wrong with what is asked for.
var (
	// ErrNotFound says that there is no such user, session or token.
	ErrNotFound = errors.New("account: not found")
	// ErrEmailTaken says that another user has the address.
	ErrEmailTaken = errors.New("account: another user has this email address")
	// ErrLastAdmin says that nobody would be left who can decide about rights.
	ErrLastAdmin = errors.New("account: this is the last active admin: make somebody else an admin first")
	// ErrRole says that there is no such role.
	ErrRole = errors.New("account: a role is one of viewer, editor and admin")
	// ErrName says that a name cannot be kept.
	ErrName = errors.New("account: a name has one line of at most 100 characters")
	// ErrIdentityTaken says that the person is known to the provider by another identity.
	ErrIdentityTaken = errors.New("account: the user is another one at the provider")
)

// Users keeps the people. Every change writes to the audit log, in the same transaction.
type Users struct {
	DB *gorm.DB
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// session gives a clean session on the same connection or transaction, in the context that it has.
func session(db *gorm.DB) *gorm.DB {
	return db.Session(&gorm.Session{NewDB: true, SkipHooks: true, Context: db.Statement.Context})
}

// clock reads a clock in the form in which times are kept.
func clock(now func() time.Time) time.Time {
	if now == nil {
		now = time.Now
	}
	return now().UTC().Truncate(time.Microsecond)
}

// NormalEmail gives an address in the form in which users have it, or says what is wrong with it.
func NormalEmail(raw string) (string, error) {
	email, err := address.Normalizer{}.Email(raw)
	return strings.ToLower(email), err
}

// Get reads one user, or gives ErrNotFound.
func (s Users) Get(ctx context.Context, id string) (*User, error) { return s.take(ctx, "id = ?", id) }

// ByEmail reads the user with an address, in whatever case it is written, or gives ErrNotFound.
func (s Users) ByEmail(ctx context.Context, email string) (*User, error) {
	if !utf8.ValidString(email) || strings.ContainsRune(email, 0) {
		return nil, ErrNotFound // Postgres takes neither
	}
	return s.take(ctx, "email = ?", strings.ToLower(strings.TrimSpace(email)))
}

// ByIdentity reads the user with an identity, or gives ErrNotFound.
func (s Users) ByIdentity(ctx context.Context, identity string) (*User, error) {
	if identity == "" {
		return nil, ErrNotFound
	}
	return s.take(ctx, "identity = ? AND identity <> ''", identity)
}

func (s Users) take(ctx context.Context, condition string, value any) (*User, error) {
	user := new(User)
	if err := session(s.DB).WithContext(ctx).Take(user, condition, value).Error; err != nil {
		return nil, found("user", err)
	}
	return user, nil
}

// found turns gorm's not-found into ErrNotFound, and says of every other error what it was about.
func found(what string, err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return ErrNotFound
	}
	return fmt.Errorf("account: read a %s: %w", what, err)
}

// PageSize is the number of users and tokens on one page.
const PageSize = 100

// List reads a page of the users in the order of their addresses, from after one on (empty: from the first). next is the
// address to go on from, empty at the end.
func (s Users) List(ctx context.Context, after string) (users []User, next string, err error) {
	err = session(s.DB).WithContext(ctx).Where("email > ?", after).Order("email").Limit(PageSize + 1).Find(&users).Error
	if err != nil {
		return nil, "", fmt.Errorf("account: list users: %w", err)
	}
	if len(users) > PageSize {
		users = users[:PageSize]
		next = users[PageSize-1].Email
	}
	return users, next, nil
}

// developmentIssuer marks the identities of development's users, who exist without a password.
const developmentIssuer = "development"

// NeedsFirst says whether no active admin can sign in yet. Development's users do not count.
func (s Users) NeedsFirst(ctx context.Context) (bool, error) {
	var admins int64
	err := usableAdmins(session(s.DB).WithContext(ctx).Model(&User{})).Count(&admins).Error
	if err != nil {
		return false, fmt.Errorf("account: count admins: %w", err)
	}
	return admins == 0, nil
}

// usableAdmins are active, and have a way to sign in: development's identities are none, they open nothing in production.
func usableAdmins(query *gorm.DB) *gorm.DB {
	return query.Where("active AND role = 'admin' AND (password_hash <> '' OR identity <> '' AND identity NOT LIKE ?)", developmentIssuer+" %")
}

// heldAdmins gives the IDs of the admins, and holds their rows until the transaction ends, so that two admins cannot each
// be the other one's successor.
func heldAdmins(tx *gorm.DB) (ids []string, err error) {
	err = usableAdmins(tx.Model(&User{}).Clauses(clause.Locking{Strength: "UPDATE"})).Order("id").Pluck("id", &ids).Error
	return ids, err
}

// keepsAnAdmin gives ErrLastAdmin when without this user no admin would be left.
func keepsAnAdmin(tx *gorm.DB, without *User) error {
	if without.Role != Admin || !without.Active || without.Invited() {
		return nil
	}
	ids, err := heldAdmins(tx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id != without.ID {
			return nil
		}
	}
	return ErrLastAdmin
}

// Development gives the user of a role with which development signs in, and makes it when it is not there.
func (s Users) Development(ctx context.Context, role Role) (*User, error) {
	identity := developmentIssuer + " " + string(role)
	user, err := s.ByIdentity(ctx, identity)
	if !errors.Is(err, ErrNotFound) {
		return user, err
	}
	now := clock(s.Now)
	user = &User{ID: outbox.NewID(), Email: string(role) + "@localhost", Role: role, Active: true, Identity: identity, Stamp: 1, CreatedAt: now, UpdatedAt: now}
	if err := session(s.DB).WithContext(ctx).Create(user).Error; err != nil {
		return nil, fmt.Errorf("account: development's %s: %w", role, err)
	}
	return user, nil
}

// SignedIn writes down when somebody signed in. It is no change of rights, and not in the audit log.
func (s Users) SignedIn(ctx context.Context, u *User) error {
	now := clock(s.Now)
	err := session(s.DB).WithContext(ctx).Model(&User{}).Where("id = ?", u.ID).UpdateColumn("last_sign_in_at", now).Error
	if err != nil {
		return fmt.Errorf("account: sign-in: %w", err)
	}
	u.LastSignInAt = &now
	return nil
}
