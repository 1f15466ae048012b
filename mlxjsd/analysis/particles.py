"""What may touch a name where words are not separated: particles and function words by script.

All are patterns that look around without taking anything, but for :data:`CLITICS`.
"""

#: Before a name in Chinese characters: what can end the words in front of it. Verbs and particles,
#: and nouns that a name stands beside, as in 首都北京 and 作家鲁迅.
_HAN_BEFORE = (
    "是为為在于於的叫名即乃到去和与與及或从從由了之有属屬被称稱作成说説說住位至自向往对對以而但也"
    "都市国國省州县縣家者员員师師统統相理长長王帝士案人"
)
#: After it: verbs and particles that go on with the sentence, and what a place or colour is called.
_HAN_AFTER = (
    "是的在位也为為和与與及或等于於市都省县縣府州区區郡町村城色有写寫创創提发發出建拥擁被由作所"
    "导導将將曾以因而但还還又就不没沒到从從对對向让讓使用来來去过過了吗嗎吧呢啊氏様"
)
#: Particles of Japanese that follow a name, and the copula.
_KANA_AFTER = "です|だ|でし|で|は|が|を|に|の|と|も|や|へ|か|より|まで|な|よ|ね|じゃ"
#: Particles of Korean, the copula, and what places are called; any number of them.
_HANGUL_AFTER = (
    "입니다|입니까|이에요|예요|이었|이라|이다|이며|이고|이란|이나|이랑|이지|이므|이니|이자|"
    "에서|에게|에는|에도|께서|으로|까지|부터|처럼|보다|마다|라고|라는|지만|였|었|습니다|"
    "인데|인가|특별시|광역시|시|도|군|구|이|가|은|는|을|를|의|에|께|로|와|과|만|란|랑|나|며|고|다|야|요|씨|님"
)
_SYLLABLES = r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"

BEFORE = {
    "han": rf"(?:(?<!\p{{Han}})|(?<=[{_HAN_BEFORE}]))",
    "hiragana": r"(?:(?<!\p{Hiragana})|(?<=[はがのをにとも]))",
    "katakana": r"(?<![\p{Katakana}ー])",
    "hangul": r"(?<!\p{Hangul})",
    # The vowels that are written before their consonant belong to a syllable that goes on.
    "syllables": r"(?<![เแโใไ])",
}
#: What a katakana word takes after it: nothing that makes another noun of it.
_NO_COMPOUND = rf"(?:(?!\p{{Han}})|(?=[{_HAN_AFTER}]))"
AFTER = {
    "han": rf"(?![\p{{Katakana}}ー])(?:(?!\p{{Han}})|(?=[{_HAN_AFTER}]))",
    "hiragana": rf"(?:(?!\p{{Hiragana}})|(?=(?:{_KANA_AFTER})))",
    "katakana": rf"(?![\p{{Katakana}}ー]){_NO_COMPOUND}",
    "hangul": rf"(?=(?:{_HANGUL_AFTER})*(?!\p{{Hangul}}))",
    "syllables": r"(?![\p{M}ะาำๅ])",
}
#: One Chinese character is a word of its own only where nothing but these touches it.
AROUND_ONE_HAN = (
    r"(?:(?<!\p{Han})|(?<=[是为為在的叫]))",
    r"(?:(?![\p{Han}\p{Katakana}])|(?=[是的色]))",
)
#: One-letter words of Arabic and Hebrew that are written together with the next one, and the
#: Arabic article.
CLITICS = r"(?:[وف]?[بكل]?(?:ال)?|[وف]?لل|[והבלמשכ]{0,2})"
