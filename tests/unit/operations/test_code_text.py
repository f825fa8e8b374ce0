"""A verification code is found in a text of any language and script, and nothing else is taken for one."""

import pytest

from migration.operations.code_text import codes_in

TEXTS = {
    "123-456": ("123456",),
    "123 456": ("123456",),
    "1 2 3 4 5 6": ("123456",),
    "Your code: 123 - 456": ("123456",),
    "您的验证码\uff1a\uff11\uff12\uff13\uff0d\uff14\uff15\uff16": ("123456",),
    "call 555 - 010 - 4321": (),
    "<#> Your WhatsApp Business code: 123-456\nDon't share it. 4sgLq1p5sV6": ("123456",),
    "رمز واتساب للأعمال: ١٢٣-٤٥٦ لا تشاركه": ("123456",),
    "\u06f1\u06f2\u06f3\u200c\u06f4\u06f5\u06f6": ("123456",),
    "कोड १२३४५६ है": ("123456",),
    "您的验证码是123456\uff0c10分钟内有效": ("123456",),
    "验证码123456,10分钟内有效": ("123456",),
    "WhatsApp kodunuz: 123\u2013456.": ("123456",),
    "\uff11\uff12\uff13\uff14\uff15\uff16": ("123456",),
    "\u202a123-456\u202c": ("123456",),
    "Code 123 456 valid 10 minutes, call +1 555 010 4321": ("123456",),
    "2026-11-27 12:00:01 code 654-321 for 15550104321": ("654321",),
    "987-654 2026-11-27 12:00": ("987654",),
    "Total 1,234,567 code 111222": ("111222",),
    "code 123456 (again: 123-456)": ("123456",),
    "code 123456 or 654321": ("123456", "654321"),
    "call 555 010 4321": (),
    "+49 151 234 567": (),
    "1234567": (),
    "12345": (),
    "no code at all": (),
    "": (),
}


@pytest.mark.parametrize("text", TEXTS)
def test_the_code_of_a_text(text: str) -> None:
    assert codes_in(text) == TEXTS[text]
