package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
)

// nameLimit is in characters.
const nameLimit = 100

// normalName trims a name, or gives ErrName. No name is one.
func normalName(raw string) (string, error) {
	name := strings.TrimSpace(raw)
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > nameLimit || strings.ContainsFunc(name, unicode.IsControl) {
		return "", ErrName
	}
	return name, nil
}

// newUser checks what is given, and makes a user who is active and cannot sign in yet.
func (s Users) newUser(email, name string, role Role) (*User, error) {
	email, err := NormalEmail(email)
	if err != nil {
		return nil, err
	}
	if name, err = normalName(name); err != nil {
		return nil, err
	}
	if !role.Allows(Viewer) {
		return nil, ErrRole
	}
	now := clock(s.Now)
	return &User{ID: outbox.NewID(), Email: email, Name: name, Role: role, Active: true, Stamp: 1, CreatedAt: now, UpdatedAt: now}, nil
}

// create stores a new user in the caller's transaction.
func create(tx *gorm.DB, u *User) error {
	var others int64
	if err := tx.Model(&User{}).Where("email = ?", u.Email).Count(&others).Error; err != nil {
		return err
	}
	if others > 0 {
		return ErrEmailTaken
	}
	err := tx.Create(u).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return ErrEmailTaken // another one at the same moment
	}
	return err
}

// change reads a user, lets apply change it and say so to the audit log, and stores it. When apply gives no action,
// nothing was to be done.
func (s Users) change(ctx context.Context, id, by string, apply applied) (*User, error) {
	return s.changeAfter(ctx, func(*gorm.DB) error { return nil }, id, by, apply)
}

// applied changes a user in a transaction, and says what was done.
type applied func(tx *gorm.DB, u *User) (action, detail string, err error)

// changeRights is change for what may leave no admin. It holds the admins before the user, who may be one of them: two who
// change each other would otherwise wait for one another for ever.
func (s Users) changeRights(ctx context.Context, id, by string, apply applied) (*User, error) {
	return s.changeAfter(ctx, func(tx *gorm.DB) error { return second(heldAdmins(tx)) }, id, by, apply)
}

func second[T any](_ T, err error) error { return err }

func (s Users) changeAfter(ctx context.Context, hold func(tx *gorm.DB) error, id, by string, apply applied) (*User, error) {
	user := new(User)
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := hold(tx); err != nil {
			return err
		}
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Take(user, "id = ?", id).Error; err != nil {
			return found("user", err)
		}
		action, detail, err := apply(tx, user)
		if err != nil || action == "" {
			return err
		}
		user.UpdatedAt = clock(s.Now)
		if err := tx.Save(user).Error; err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Entry{Actor: by, Action: action, TargetID: user.ID, Detail: detail})
	})
	if err != nil {
		return nil, ours("change a user", err)
	}
	return user, nil
}

// ours leaves the errors that people are told as they are, and says of every other one what it was about.
func ours(what string, err error) error {
	var known knownError
	if errors.As(err, &known) {
		return err
	}
	for _, e := range []error{ErrNotFound, ErrEmailTaken, ErrLastAdmin, ErrRole, ErrName, ErrIdentityTaken, ErrInvitation, ErrTokenName, ErrPassword} {
		if errors.Is(err, e) {
			return err
		}
	}
	return fmt.Errorf("account: %s: %w", what, err)
}

// knownError is an error with a text for people.
type knownError interface{ ForPeople() string }

// SetRole gives a user another role, which counts from their next request on. The last active admin stays one.
func (s Users) SetRole(ctx context.Context, id string, role Role, by string) (*User, error) {
	if !role.Allows(Viewer) {
		return nil, ErrRole
	}
	return s.changeRights(ctx, id, by, func(tx *gorm.DB, u *User) (string, string, error) {
		if u.Role == role {
			return "", "", nil
		}
		if err := keepsAnAdmin(tx, u); err != nil {
			return "", "", err
		}
		detail := fmt.Sprintf("%s: %s → %s", u.Email, u.Role, role)
		u.Role = role
		return "user.role_changed", detail, nil
	})
}

// SetActive lets a user sign in, or ends their sessions and keeps them out. The last active admin stays active.
func (s Users) SetActive(ctx context.Context, id string, active bool, by string) (*User, error) {
	return s.changeRights(ctx, id, by, func(tx *gorm.DB, u *User) (string, string, error) {
		if u.Active == active {
			return "", "", nil
		}
		if active {
			u.Active = true
			return "user.activated", u.Email, nil
		}
		if err := keepsAnAdmin(tx, u); err != nil {
			return "", "", err
		}
		u.Active = false
		u.Stamp++
		if err := endSessions(tx, u.ID, "", clock(s.Now)); err != nil {
			return "", "", err
		}
		return "user.deactivated", u.Email, endInvitations(tx, u.ID)
	})
}

// SetName gives a user another name.
func (s Users) SetName(ctx context.Context, id, name, by string) (*User, error) {
	name, err := normalName(name)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, id, by, func(_ *gorm.DB, u *User) (string, string, error) {
		if u.Name == name {
			return "", "", nil
		}
		u.Name = name
		return "user.renamed", u.Email, nil
	})
}

// ChangePassword sets a password in place of the one that the user knows, and ends every session of theirs but the one
// with the ID keep, which goes on with the new stamp. A wrong current password is ErrPassword.
func (s Users) ChangePassword(ctx context.Context, id, current, password, keep string) (*User, error) {
	user, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if !CheckPassword(ctx, current, user.PasswordHash) {
		return nil, ErrPassword
	}
	hash, err := hashFor(ctx, user, password)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, id, user.Email, func(tx *gorm.DB, u *User) (string, string, error) {
		if u.Stamp != user.Stamp {
			return "", "", ErrPassword // it was changed a moment ago
		}
		u.PasswordHash = hash
		u.Stamp++
		return "user.password_changed", u.Email, endSessions(tx, u.ID, keep, clock(s.Now))
	})
}

// FromProvider gives the user whom an OpenID Connect provider names. Somebody who is a user by the address, which the
// provider has verified, gets the identity at the first time; somebody new becomes a user of the role, or is ErrNotFound
// when there is none for people seen for the first time. An address whose user has another identity at the same provider
// is ErrIdentityTaken: addresses are given to others, identities are not. Somebody new may come twice at once, in two
// windows: both are the same user.
func (s Users) FromProvider(ctx context.Context, issuer, subject, email, name string, role Role) (*User, error) {
	user, err := s.fromProvider(ctx, issuer, subject, email, name, role)
	if errors.Is(err, ErrEmailTaken) { // a moment ago: now they are found
		return s.fromProvider(ctx, issuer, subject, email, name, role)
	}
	return user, err
}

func (s Users) fromProvider(ctx context.Context, issuer, subject, email, name string, role Role) (*User, error) {
	identity := issuer + " " + subject
	user, err := s.ByIdentity(ctx, identity)
	if !errors.Is(err, ErrNotFound) {
		return user, err
	}
	by := "sign-in by " + issuer
	// Only an address that can be a user's: lower case alone makes an ASCII letter of some others (K, the sign of Kelvin),
	// and whoever has that address at the provider is somebody else.
	if email, err = NormalEmail(email); err != nil {
		return nil, ErrNotFound
	}
	user, err = s.ByEmail(ctx, email)
	if err == nil {
		return s.change(ctx, user.ID, by, func(_ *gorm.DB, u *User) (string, string, error) {
			if u.Identity != "" && u.Identity != identity {
				return "", "", ErrIdentityTaken
			}
			u.Identity = identity
			return "user.identified", u.Email, nil
		})
	}
	if !errors.Is(err, ErrNotFound) || role == "" {
		return nil, err
	}
	if name, err = normalName(name); err != nil {
		name = ""
	}
	if user, err = s.newUser(email, name, role); err != nil {
		return nil, err
	}
	user.Identity = identity
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := create(tx, user); err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Entry{Actor: by, Action: "user.created", TargetID: user.ID, Detail: fmt.Sprintf("%s as %s", user.Email, role)})
	})
	if err != nil {
		return nil, ours("make a user", err)
	}
	return user, nil
}
