namespace OT.Applications.Routing;

/// <summary>Whose number of partners is limited in the transport problem behind a routing.</summary>
public enum RoutingMode
{
    /// <summary>Each expert takes at most its capacity of tokens; a token goes to as many experts as have use for it, to one at least.</summary>
    ExpertsChoose,

    /// <summary>Each token goes to at most k experts, whose masses are balanced; capacities are kept when the lists are made.</summary>
    TokensChoose,
}
