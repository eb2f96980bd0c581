using System.Reflection;
using System.Text;

namespace OT.Tests.Conventions;

/// <summary>The public surface of an assembly as sorted text, one member a line.</summary>
static class PublicApi
{
    const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(Describe(type)).Append('\n');
            foreach (string member in Members(type).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
                text.Append("    ").Append(member).Append('\n');
        }
        return text.ToString();
    }

    static string Describe(Type type)
    {
        string kind =
            type.IsEnum ? "enum"
            : typeof(Delegate).IsAssignableFrom(type) ? "delegate"
            : type.IsInterface ? "interface"
            : type.IsValueType ? "struct"
            : type.IsAbstract && type.IsSealed ? "static class"
            : type.IsAbstract ? "abstract class"
            : type.IsSealed ? "sealed class"
            : "class";
        IEnumerable<Type> bases = type.GetInterfaces().Where(i => i.IsPublic && i.Assembly == type.Assembly);
        if (
            type.BaseType is { } parent
            && parent != typeof(object)
            && parent != typeof(ValueType)
            && !type.IsEnum
            && kind != "delegate"
        )
            bases = bases.Prepend(parent);
        string list = string.Join(", ", bases.Select(Name).Order(StringComparer.Ordinal));
        return $"{kind} {type.Namespace}.{Name(type)}{(list.Length > 0 ? " : " + list : "")}";
    }

    static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
            return Enum.GetNames(type).Select(name => $"{name} = {Convert.ToInt64(Enum.Parse(type, name))}");
        if (typeof(Delegate).IsAssignableFrom(type))
            return [Method(type.GetMethod("Invoke")!)];
        return type.GetMembers(Declared).Where(member => !Hidden(member)).Select(Member).OfType<string>();
    }

    // What the compiler writes for records is not ours to approve.
    static bool Hidden(MemberInfo member) =>
        member.Name.Contains('<', StringComparison.Ordinal)
        || member.Name is "PrintMembers" or "EqualityContract" or "get_EqualityContract"
        || (
            member.DeclaringType!.GetMethod("<Clone>$") is not null
            && member.Name is "Equals" or "GetHashCode" or "Deconstruct" or "op_Equality" or "op_Inequality"
        );

    static string? Member(MemberInfo member) =>
        member switch
        {
            ConstructorInfo constructor when Visible(constructor) && !constructor.IsStatic => $"new({Parameters(constructor)})",
            PropertyInfo property when property.GetAccessors(true).Any(Visible) => Property(property),
            MethodInfo method when Visible(method) && !method.IsSpecialName => Method(method),
            FieldInfo field when field.IsPublic || field.IsFamily =>
                $"{(field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}",
            EventInfo e => $"event {Name(e.EventHandlerType!)} {e.Name}",
            _ => null,
        };

    static string Property(PropertyInfo property)
    {
        string Accessor(MethodInfo? accessor, string name)
        {
            if (accessor is null || !Visible(accessor))
                return "";
            bool init = accessor.ReturnParameter.GetRequiredCustomModifiers().Any(m => m.Name == "IsExternalInit");
            return $" {(accessor.IsPublic ? "" : "protected ")}{(init ? "init" : name)};";
        }
        MethodInfo first = property.GetAccessors(true)[0];
        string required = property.CustomAttributes.Any(a => a.AttributeType.Name == "RequiredMemberAttribute")
            ? "required "
            : "";
        string index = property.GetIndexParameters() is { Length: > 0 } parameters
            ? $"[{string.Join(", ", parameters.Select(p => $"{Name(p.ParameterType)} {p.Name}"))}]"
            : "";
        return $"{required}{Modifiers(first)}{Name(property.PropertyType)} {property.Name}{index} {{{Accessor(property.GetMethod, "get")}{Accessor(property.SetMethod, "set")} }}";
    }

    static string Method(MethodInfo method)
    {
        string generic = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";
        return $"{Modifiers(method)}{Name(method.ReturnType)} {method.Name}{generic}({Parameters(method)})";
    }

    static string Modifiers(MethodBase method)
    {
        string access = method.IsPublic ? "" : "protected ";
        if (method.IsStatic)
            return access + "static ";
        if (method is not MethodInfo info || method.DeclaringType!.IsInterface)
            return access;
        if (info.IsAbstract)
            return access + "abstract ";
        if (info.GetBaseDefinition() != info)
            return access + "override ";
        return info.IsVirtual && !info.IsFinal ? access + "virtual " : access;
    }

    static string Parameters(MethodBase method) =>
        string.Join(
            ", ",
            method
                .GetParameters()
                .Select(p =>
                    (
                        p.IsOut ? "out "
                        : p.ParameterType.IsByRef ? (p.IsIn ? "in " : "ref ")
                        : ""
                    )
                    + $"{Name(p.ParameterType)} {p.Name}"
                    + (p.HasDefaultValue ? $" = {p.RawDefaultValue ?? "default"}" : "")
                )
        );

    static bool Visible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    static string Name(Type type)
    {
        if (type.IsByRef)
            return Name(type.GetElementType()!);
        if (type.IsArray)
            return $"{Name(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        if (Nullable.GetUnderlyingType(type) is { } inner)
            return Name(inner) + "?";
        string name = type.IsNested && !type.IsGenericParameter ? $"{Name(type.DeclaringType!)}.{type.Name}" : type.Name;
        if (!type.IsGenericType)
            return name;
        int tick = name.IndexOf('`', StringComparison.Ordinal);
        return $"{(tick < 0 ? name : name[..tick])}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>";
    }
}
