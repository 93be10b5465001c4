#!/usr/bin/env python3
"""Writes server/access/openapi.json, OpenAPI 3.1 of the access API, from swagger.json, which says
the same in Swagger 2.0. --check only says whether it is as it would be written.
"""

import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "server" / "access"
PLACES = {"#/definitions/": "#/components/schemas/", "#/parameters/": "#/components/parameters/",
          "#/responses/": "#/components/responses/"}
# Members of a parameter or header that are its own; all others are its schema's.
OWN = ("name", "in", "required", "description", "$ref")


def moved(value):
    """The same with references to where things are in OpenAPI 3.1."""
    if isinstance(value, dict):
        return {name: moved(each) for name, each in value.items()}
    if isinstance(value, list):
        return [moved(each) for each in value]
    if isinstance(value, str):
        for old, new in PLACES.items():
            if value.startswith(old):
                return new + value[len(old):]
    return value


def parameter(old):
    new = {name: each for name, each in old.items() if name in OWN}
    schema = {name: each for name, each in old.items() if name not in OWN}
    return {**new, "schema": schema} if schema else new


def content(schema, produces):
    if schema.get("type") == "file":
        return {kind: {} for kind in produces if kind not in ("application/json", "text/plain")}
    kind = "text/plain" if schema == {"type": "string"} else "application/json"
    return {kind: {"schema": schema}}


def response(old, produces):
    new = {name: each for name, each in old.items() if name not in ("schema", "headers")}
    if "headers" in old:
        new["headers"] = {name: parameter(each) for name, each in old["headers"].items()}
    if "schema" in old:
        new["content"] = content(old["schema"], produces)
    return new


def operation(old, produces):
    new = {name: each for name, each in old.items() if name not in ("produces", "consumes")}
    produces = old.get("produces", produces)
    if "parameters" in old:
        assert all(each.get("in") != "body" for each in old["parameters"])
        new["parameters"] = [parameter(each) for each in old["parameters"]]
    new["responses"] = {status: response(each, produces)
                        for status, each in old["responses"].items()}
    return new


def converted(swagger):
    produces = swagger["produces"]
    return moved({
        "openapi": "3.1.0",
        "info": {**swagger["info"], "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": swagger["basePath"]}],
        "security": swagger["security"],
        "paths": {path: {method: operation(each, produces) for method, each in methods.items()}
                  for path, methods in swagger["paths"].items()},
        "components": {
            "securitySchemes": swagger["securityDefinitions"],
            "parameters": {name: parameter(each) for name, each in swagger["parameters"].items()},
            "responses": {name: response(each, produces)
                          for name, each in swagger["responses"].items()},
            "schemas": swagger["definitions"],
        },
    })


def main():
    swagger = json.loads((FOLDER / "swagger.json").read_text(encoding="utf-8"))
    text = json.dumps(converted(swagger), indent=2, ensure_ascii=False) + "\n"
    place = FOLDER / "openapi.json"
    if sys.argv[1:] == ["--check"]:
        if place.read_text(encoding="utf-8") != text:
            sys.exit("server/access/openapi.json does not follow swagger.json: scripts/openapi.py")
        return
    place.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
