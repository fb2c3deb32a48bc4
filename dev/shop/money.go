package shop

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
)

// Money is an exact amount in hundredths: 12050 is 120.50. It is a numeric(12,2) in the database, so it stays below ten
// thousand million either way. SQLite holds such a column as a floating-point number, which is exact for these twelve
// digits once it is rounded to hundredths.
//
// JSON has it as a string, "120.50", so that no reader makes a floating-point number of it; a number is taken too.
type Money int64

// moneyLimit is the first amount that numeric(12,2) does not hold.
const moneyLimit Money = 1_000_000_000_000

var (
	errMoneyForm   = errors.New("must be an amount such as 120.50")
	errMoneyPlaces = errors.New("must have at most two decimal places")
	errMoneyRange  = errors.New("must be below 10000000000")
)

// moneyForm bounds digits and exponent: one such as 1e999999999 would fill the memory.
var moneyForm = regexp.MustCompile(`^[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?$`)

// ParseMoney reads an amount such as 120.5, -3 or 1.2e3. Its errors complete the sentence "amount …".
func ParseMoney(text string) (Money, error) {
	if !moneyForm.MatchString(text) {
		return 0, errMoneyForm
	}
	amount, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, errMoneyForm
	}
	amount.Mul(amount, big.NewRat(100, 1))
	if !amount.IsInt() {
		return 0, errMoneyPlaces
	}
	if !amount.Num().IsInt64() {
		return 0, errMoneyRange
	}
	money := Money(amount.Num().Int64())
	if money <= -moneyLimit || money >= moneyLimit {
		return 0, errMoneyRange
	}
	return money, nil
}

// String gives the amount with two decimal places: 120.50.
func (m Money) String() string {
	sign, amount := "", int64(m)
	if amount < 0 {
		sign, amount = "-", -amount
	}
	return fmt.Sprintf("%s%d.%02d", sign, amount/100, amount%100)
}

// Value gives the database the digits.
func (m Money) Value() (driver.Value, error) { return m.String(), nil }

// Scan reads what the databases give: text (Postgres), or a number (SQLite).
func (m *Money) Scan(value any) error {
	switch v := value.(type) {
	case int64:
		*m = Money(v) * 100
	case float64:
		*m = Money(math.Round(v * 100))
	case string:
		return m.read(v)
	case []byte:
		return m.read(string(v))
	default:
		return fmt.Errorf("shop: an amount cannot be read from a %T", value)
	}
	return nil
}

// MarshalJSON gives a string.
func (m Money) MarshalJSON() ([]byte, error) { return json.Marshal(m.String()) }

// UnmarshalJSON takes a number or a string.
func (m *Money) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(raw, &text); err != nil {
			return errMoneyForm
		}
	}
	return m.read(text)
}

func (m *Money) read(text string) error {
	money, err := ParseMoney(text)
	if err == nil {
		*m = money
	}
	return err
}
