namespace OT.Neural;

/// <summary>The function between the layers of a <see cref="Mlp"/>, applied to each entry.</summary>
public enum Activation
{
    /// <summary><c>max(z, 0)</c>; its derivative at 0 is taken as 0.</summary>
    Relu,

    /// <summary><c>tanh z</c>.</summary>
    Tanh,

    /// <summary><c>log(1 + e^z)</c>: smooth, increasing and convex.</summary>
    Softplus,
}
