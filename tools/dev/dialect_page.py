"""docs/Dialect.md from TableGen, with what mlir-tblgen's pages lack: how an attribute is written, and what it is where it is left out.

Used by gen-docs. mlir-tblgen prints C++ types; a reader writes IR. The records come from `llvm-tblgen --dump-json`, the text from mlir-tblgen.
"""

import json
import re

#: How values of MLIR's own attributes are written.
BUILTIN = {"I64Attr": "`1 : i64`", "I32Attr": "`1 : i32`", "F64Attr": "`0.5 : f64`", "F32Attr": "`0.5 : f32`", "UnitAttr": "the name alone", "StrAttr": '`"text"`',
           "BoolAttr": "`true`, `false`", "TypeAttr": "a type", "FlatSymbolRefAttr": "`@name`", "SymbolNameAttr": "`@name`", "DenseI64ArrayAttr": "`array<i64: 1, 2>`",
           "ArrayAttr": "`[…]`", "StrArrayAttr": '`["text", …]`', "DictionaryAttr": "`{…}`", "AnyAttr": "any attribute"}
#: Types of the parameters of attributes.
PARAMETERS = {"int64_t": "a whole number", "bool": "`true`, `false`", "::llvm::StringRef": '`"text"`', "::mlir::Type": "a type",
              "::mlir::FlatSymbolRefAttr": "`@name`", "::mlir::ArrayAttr": "`[…]`", "::mlir::DenseI64ArrayAttr": "`[1, 2]`", "double": "a number",
              "::mlir::FloatAttr": "`0.5 : f64`"}


class Records:
    def __init__(self, text):
        self.all = json.loads(text)
        self.enums = {record["cppClassName"] if "cppClassName" in record else name: record for name, record in self.all.items()
                      if isinstance(record, dict) and "enumerants" in record}

    def of(self, reference):
        return self.all[reference["def"]] if isinstance(reference, dict) else None

    def keywords(self, enum):
        return {case["symbol"]: case["str"] for case in map(self.of, enum["enumerants"])}

    def enum_of_type(self, cpp_type):
        """The keywords of an enum by its C++ type; none for other types."""
        name = cpp_type.split("::")[-1]
        for record in self.enums.values():
            if record.get("className") == name or record["!name"].split("_")[-1] == name:
                return self.keywords(record)
        return {}


def spell_default(records, text, record):
    """A default as it is written in IR."""
    if text.startswith("::moe::"):
        return f"`{records.enum_of_type(text.rsplit('::', 1)[0]).get(text.rsplit('::', 1)[1], text)}`"
    if "APFloat" in text or "llvm" in text:
        found = re.search(r"[-\d.e]+\d", text)
        return f"`{found.group(0)}`" if found else f"`{text}`"
    return f"`{text}`"


def spell(records, attribute):
    """How a value of an operation's attribute is written."""
    base = records.of(attribute["baseAttr"]) if attribute.get("baseAttr") else attribute
    name = base["!name"]
    if name in BUILTIN:
        return BUILTIN[name]
    if base.get("enum"):
        keywords = list(records.keywords(records.of(base["enum"])).values())
        return f"`#moe<{base['mnemonic']} {keywords[0]}>`" + (", or " + ", ".join(f"`{keyword}`" for keyword in keywords[1:]) if keywords[1:] else "")
    if base.get("mnemonic"):
        return f"`#moe.{base['mnemonic']}<…>`, [below](#{base['cppClassName'].lower()})"
    return base.get("summary") or name


def attribute_table(records, op):
    rows = []
    for reference, name in op["arguments"]["args"]:
        record = records.of(reference)
        if "returnType" not in record or "storageType" not in record:
            continue
        default = record.get("defaultValue")
        if "$" + name in op["assemblyFormat"]:
            written = spell(records, record).replace("`#moe<" + str((records.of(record["baseAttr"]) if record.get("baseAttr") else record).get("mnemonic")) + " ", "`")
            written = f"in the op's own syntax: {written.replace('>`', '`', 1) if written.startswith('`') and '#moe' not in written else written}"
        else:
            written = spell(records, record)
        missing = spell_default(records, default, record) if default else "absent" if record.get("isOptional") else "must be given"
        rows.append(f"| `{name}` | {written} | {missing} |")
    return "#### Attributes:\n\n| Attribute | Written | Default |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""


def attribute_section(records, record, section):
    """The section of one of the dialect's attributes with its syntax as it is written."""
    head = section.split("Syntax:", 1)[0]
    rest = re.search(r"(?s)Syntax:\n\n```.*?```\n(.*?)(?=#### Parameters:|\Z)", section)
    text = rest.group(1).strip() if rest else ""
    if record.get("enum"):
        keywords = list(records.keywords(records.of(record["enum"])).values())
        body = "Written " + ", ".join(f"`#moe<{record['mnemonic']} {keyword}>`" for keyword in keywords) + ".\n"
        return head + body + (f"\n{text}\n" if text else "") + "\n"
    rows, fields = [], []
    for kind, name in record["parameters"]["args"]:
        parameter = records.of(kind)
        cpp_type = parameter["cppType"] if parameter else kind
        keywords = records.enum_of_type(cpp_type)
        default = parameter.get("defaultValue") if parameter else None
        optional = bool(parameter) and default is not None and default != "" or (parameter and "Optional" in str(parameter.get("!superclasses")))
        values = ", ".join(f"`{keyword}`" for keyword in keywords.values()) or PARAMETERS.get(cpp_type) or f"`{cpp_type.split('::')[-1]}`"
        rows.append(f"| `{name}` | {values} | {spell_default(records, default, record) if default and default != cpp_type + '()' else 'absent' if optional else 'must be given'} |")
        fields.append(name)
    syntax = f"#moe.{record['mnemonic']}<" + ", ".join(f"{name} = …" for name in fields) + ">"
    if "struct(params)" not in str(record.get("assemblyFormat")):
        return section
    table = "#### Parameters:\n\n| Parameter | Values | Default |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    return head + f"Written, in any order and without what has its default:\n\n```\n{syntax}\n```\n\n" + (text + "\n\n" if text else "") + table + "\n"


def complete(page, dump):
    """`page` of mlir-tblgen with the tables above; `dump` is the text of the records."""
    records = Records(dump)
    ops = {records.all[name]["opName"]: records.all[name] for name in records.all["!instanceof"]["Op"] if records.all[name].get("opName")}
    attributes = {records.all[name]["cppClassName"]: records.all[name] for name in records.all["!instanceof"].get("AttrDef", [])}
    sections = re.split(r"(?m)^(?=### )", page)
    for number, section in enumerate(sections):
        op = re.match(r"### `moe\.([\w.]+)`", section)
        attribute = re.match(r"### (\w+)\n", section)
        if op and op.group(1) in ops:
            table = attribute_table(records, ops[op.group(1)])
            sections[number] = re.sub(r"(?s)#### Attributes:\n\n<table>.*?</table>\n", lambda match: table, section)
        elif attribute and attribute.group(1) in attributes:
            sections[number] = attribute_section(records, attributes[attribute.group(1)], section)
    return "".join(sections).rstrip() + "\n"
