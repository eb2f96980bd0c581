namespace OT.Numerics;

/// <summary>The vector operations that fused kernels are written in: one implementation per register width, and a scalar one as the oracle.</summary>
/// <typeparam name="TVector">A register of <typeparamref name="T"/>.</typeparam>
/// <typeparam name="T">float or double.</typeparam>
internal interface ISimd<TVector, T>
    where T : unmanaged
{
    /// <summary>Elements per register.</summary>
    static abstract int Count { get; }

    static abstract TVector Zero { get; }

    static abstract TVector Fill(T value);

    static abstract TVector Load(ref T source, nint offset);

    /// <summary>Loads floats and widens or keeps them: how kernels read costs stored in float.</summary>
    static abstract TVector LoadSingle(ref float source, nint offset);

    static abstract void Store(TVector vector, ref T destination, nint offset);

    static abstract TVector Add(TVector x, TVector y);

    static abstract TVector Multiply(TVector x, TVector y);

    /// <summary><c>x y + z</c>, rounded once where the processor can.</summary>
    static abstract TVector MultiplyAdd(TVector x, TVector y, TVector z);

    static abstract TVector Max(TVector x, TVector y);

    /// <summary>
    /// 2^x for finite x; 0 where it underflows, <c>+∞</c> where it overflows. Relative error below 4e-16 (double) and 2.5e-7 (float).
    /// Arguments below <see cref="Simd.Lowest{T}"/> are not allowed.
    /// </summary>
    static abstract TVector Exp2(TVector x);

    static abstract T Sum(TVector x);

    static abstract T MaxAcross(TVector x);
}
